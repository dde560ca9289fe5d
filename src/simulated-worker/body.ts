/** A request's JSON object, nothing of which can be relied on. */
export type Body = Readonly<Record<string, unknown>>;

/** Reads a JSON object; undefined when the text is none. */
export function parseBody(raw: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(raw);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Telegram's ids are numbers, which some clients send as they are. */
export function chatId(value: unknown): string {
  return typeof value === 'number' ? String(value) : text(value);
}
