/** What a script answered, looked at rather than trusted: a wrong shape is a fault of ours and says so. */

export function list(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw unexpected(reply);
}

export function text(reply: unknown): string {
  if (typeof reply === 'string') return reply;
  throw unexpected(reply);
}

export function integer(reply: unknown): number {
  const number = typeof reply === 'string' ? Number(reply) : reply;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  throw unexpected(reply);
}

/** The elements of a flat list two by two. */
export function pairs<Pair>(reply: unknown, pair: (first: unknown, second: unknown) => Pair): Pair[] {
  const flat = list(reply);
  const result: Pair[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) result.push(pair(flat[i], flat[i + 1]));
  return result;
}

function unexpected(reply: unknown): TypeError {
  return new TypeError(`Redis gave an unexpected answer: ${JSON.stringify(reply)?.slice(0, 200)}`);
}
