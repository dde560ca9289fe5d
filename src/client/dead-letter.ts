import { type Guard, list, nullable, number, type Other, object, oneOf, text } from './guard.ts';

/** A message that failed, or a callback that could not be made. */
export type DeadLetter = {
  readonly kind: 'message' | 'callback' | Other;
  readonly message_id: string;
  /** Name of the queue. */
  readonly user_id: string;
  readonly attempts: number;
  readonly queued_at: string;
  readonly failed_at: string;
  readonly code: string;
  readonly error: string;
};

/** Dead letters, newest first. */
export type DeadLetterPage = {
  readonly dead_letters: readonly DeadLetter[];
  /** Names the page after this one; `null` on the last. */
  readonly next_cursor: string | null;
};

/** A dead letter that is listed no more. */
export type Discarded = { readonly message_id: string; readonly discarded: true };

export const deadLetterPage: Guard<DeadLetterPage> = object({
  dead_letters: list(
    object({
      kind: text,
      message_id: text,
      user_id: text,
      attempts: number,
      queued_at: text,
      failed_at: text,
      code: text,
      error: text,
    }),
  ),
  next_cursor: nullable(text),
});

export const discarded: Guard<Discarded> = object({ message_id: text, discarded: oneOf(true) });
