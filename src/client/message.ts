import { type Guard, nullable, number, type Other, object, oneOf, optional, text } from './guard.ts';

/** What is the same in a text and a spoken message. Names and limits: docs/api.md. */
type MessageBase = {
  /** Who says it. Names the queue of a private chat. */
  readonly user_id: string;
  readonly org_id: string;
  /** Which client sends it, such as `web`. */
  readonly client_id: string;
  /** Your own id. A message with the same one is accepted once; without one, the client makes one up for its own repeats. */
  readonly client_message_id?: string | undefined;
  /** When the queue has a message waiting or running: wait behind it (the default), a `409`, or cancel all those and run this one. */
  readonly if_busy?: 'enqueue' | 'reject' | 'interrupt' | undefined;
  /** An `https` address that is told how the message ended. */
  readonly callback_url?: string | undefined;
  readonly chat_type?: string | undefined;
  /** Required in a group. */
  readonly chat_id?: string | number | undefined;
  readonly thread_id?: string | number | undefined;
  readonly speaker?: string | undefined;
  readonly addressed_to_bot?: boolean | undefined;
  readonly response_language_hint?: string | undefined;
};

/** A message to send. */
export type NewMessage = MessageBase &
  (
    | { readonly message_type?: 'text' | undefined; readonly message: string }
    | {
        readonly message_type: 'audio';
        readonly audio_base64: string;
        /** Such as `ogg`. */
        readonly audio_format: string;
        readonly message?: string | undefined;
      }
  );

export type MessageStatus = 'queued' | 'processing' | 'completed' | 'failed' | 'cancelled' | 'expired' | Other;

/** The broker has the message, and will not lose it. */
export type Accepted = {
  readonly status: MessageStatus;
  readonly message_id: string;
  /** Waiting messages of this queue up to and including this one; 0 when it does not wait any more. */
  readonly queue_position: number;
  /** Where its events are read: for `stream({ streamUrl })`. */
  readonly stream_url: string;
  /** It had been accepted before; the other fields are those of the first one. */
  readonly duplicate?: boolean | undefined;
};

/** What the engine answered, as it is: the broker looks at none of it. */
export type Result = {
  /** The texts of the reply: a list. */
  readonly responses?: unknown;
  readonly response_language?: unknown;
  readonly voice_audio_base64?: unknown;
  readonly voice_audio_url?: unknown;
  readonly attachments?: unknown;
};

/** How the callback of a message stands. */
export type CallbackState = {
  /** `silent`: there was nothing to tell. */
  readonly status: 'pending' | 'delivered' | 'undelivered' | 'silent' | Other;
  readonly attempts: number;
  /** What came of the last attempt, if it was in vain. */
  readonly error: string;
};

/** How a message stands. What is not known yet is `null`; times are ISO 8601. */
export type MessageState = {
  readonly message_id: string;
  /** Name of the queue. */
  readonly user_id: string;
  readonly status: MessageStatus;
  readonly queue_position: number | null;
  /** Calls of the engine made so far. */
  readonly attempts: number;
  readonly queued_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  /** Why it did not complete. */
  readonly code: string | null;
  readonly error: string | null;
  /** `null` without a `callback_url`, or before its turn. */
  readonly callback?: CallbackState | null | undefined;
  readonly result: Result | null;
};

/** A cancelled message; `cancelling` when its end takes a while. */
export type Cancelled = { readonly message_id: string; readonly status: 'cancelled' | 'cancelling' | Other };

/** What `retry` did: the message waits again, or its callback is made again. */
export type Retried =
  | {
      readonly status: 'queued';
      readonly message_id: string;
      readonly queue_position: number;
      readonly stream_url: string;
    }
  | { readonly status: 'redelivering'; readonly message_id: string };

export const accepted: Guard<Accepted> = object({
  status: text,
  message_id: text,
  queue_position: number,
  stream_url: text,
  duplicate: optional(oneOf(true, false)),
});

export const result: Guard<Result> = object({});

export const messageState: Guard<MessageState> = object({
  message_id: text,
  user_id: text,
  status: text,
  queue_position: nullable(number),
  attempts: number,
  queued_at: text,
  started_at: nullable(text),
  ended_at: nullable(text),
  code: nullable(text),
  error: nullable(text),
  callback: optional(nullable(object({ status: text, attempts: number, error: text }))),
  result: nullable(result),
});

export const cancelled: Guard<Cancelled> = object({ message_id: text, status: text });

const queuedAgain = object({ status: oneOf('queued'), message_id: text, queue_position: number, stream_url: text });
const redelivering = object({ status: oneOf('redelivering'), message_id: text });
export const retried: Guard<Retried> = (value): value is Retried => queuedAgain(value) || redelivering(value);
