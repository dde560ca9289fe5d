import type { DeadLetterPlace } from './store/store.ts';

/** A place among the dead letters as clients are told it, and hand it back for the page after it. */
export function cursorOf({ endedAt, messageId }: DeadLetterPlace): string {
  return `${endedAt}~${messageId}`;
}

/** The place that a cursor names. */
export function placeOf(cursor: string): DeadLetterPlace {
  const [endedAt = '', ...messageId] = cursor.split('~');
  return { endedAt: Number(endedAt), messageId: messageId.join('~') };
}
