/** So many characters of a text are shown: a person reads no more, and the worker may send 40 MB. */
const SHOWN_CHARS = 300;
/** How a message fails in the worker's own words, which may hold some of the message. */
const IN_ITS_WORDS: ReadonlySet<string> = new Set(['worker_rejected', 'worker_error']);
/** What the broker says before them, where it does. */
const ITS_STATUS = /^The worker answered \d{3}(?=: )/;

/** Why something failed, as the dashboard tells it: in the worker's words only if content may be shown. */
export function reasonOf(code: string, error: string, showContent: boolean): string {
  if (showContent || !IN_ITS_WORDS.has(code)) return beginning(error);
  const [told = 'The worker gave up'] = ITS_STATUS.exec(error) ?? [];
  return `${told}.`;
}

/** As much of a text as is shown. */
export function beginning(text: string): string {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
