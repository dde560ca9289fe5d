/** So many characters of a text are shown: a person reads no more, and the worker may send 40 MB. */
const SHOWN_CHARS = 300;
/** How a message fails in the worker's own words, which may hold some of the message. */
const IN_ITS_WORDS: ReadonlySet<string> = new Set(['worker_rejected', 'worker_error']);
/** What the broker says before them, where it does. */
const ITS_STATUS = /^The worker answered \d{3}(?=: )/;

/** Longer texts are not looked into. */
const MOST_READ_CHARS = 10_000;

/** Why something failed, as the dashboard tells it: in the worker's words only if content may be shown. */
export function reasonOf(code: string, error: string, showContent: boolean): string {
  if (showContent || !IN_ITS_WORDS.has(code)) return beginning(sentence(error));
  const [told = 'The worker gave up'] = ITS_STATUS.exec(error) ?? [];
  return `${told}.`;
}

/** What a JSON object at the end of a text says: `529 {"type":"error","error":{"message":"Overloaded"}}` is `529 Overloaded`. */
function sentence(text: string): string {
  const start = text.length > MOST_READ_CHARS ? -1 : text.indexOf('{');
  if (start < 0) return text;
  try {
    const said = saidIn(JSON.parse(text.slice(start)));
    return said === undefined ? text : text.slice(0, start) + said;
  } catch {
    return text;
  }
}

function saidIn(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  return saidIn('message' in value ? value.message : 'error' in value ? value.error : undefined);
}

/** As much of a text as is shown. */
export function beginning(text: string): string {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
