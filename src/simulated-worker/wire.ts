/** A seeded source of numbers in [0, 1). */
export type Random = () => number;

/** Mulberry32: small, seeded, good enough to shake timings and cuts. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A version 4 UUID drawn from `random`. */
export function uuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** One event as it goes over the wire: `data: …` and a blank line. */
export function frame(data: string | Uint8Array, crlf: boolean): string | Uint8Array {
  const end = crlf ? '\r\n\r\n' : '\n\n';
  return typeof data === 'string'
    ? `data: ${data}${end}`
    : Buffer.concat([Buffer.from('data: '), data, Buffer.from(end)]);
}

/** Frames as one piece: a string as long as all of them are. */
export function join(frames: readonly (string | Uint8Array)[]): string | Uint8Array {
  const strings = frames.filter((one) => typeof one === 'string');
  if (strings.length === frames.length) return strings.join('');
  return Buffer.concat(frames.map((one) => (typeof one === 'string' ? Buffer.from(one) : one)));
}

/** Cuts bytes into pieces of a fixed size, whatever they cut through. */
export function cutEvery(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const step = Math.max(1, size);
  for (let at = 0; at < bytes.length; at += step) pieces.push(bytes.subarray(at, at + step));
  return pieces;
}

/** Cuts bytes at random places; the first character of several bytes is always cut through. */
export function cutRandomly(bytes: Uint8Array, random: Random): Uint8Array[] {
  const cuts = new Set<number>();
  const wide = bytes.findIndex((byte) => byte >= 0xc0);
  if (wide !== -1) cuts.add(wide + 1);
  const mean = Math.max(16, bytes.length / 64);
  for (let at = 0; at < bytes.length; ) {
    at += 1 + Math.floor(random() * 2 * mean);
    cuts.add(at);
  }
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const to of [...cuts].filter((cut) => cut < bytes.length).sort((a, b) => a - b)) {
    pieces.push(bytes.subarray(from, to));
    from = to;
  }
  pieces.push(bytes.subarray(from));
  return pieces;
}
