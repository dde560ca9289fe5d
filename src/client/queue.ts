import { boolean, type Guard, list, nullable, number, type Other, object, text } from './guard.ts';

/** One queue: what is worked on first, then what waits, in order. */
export type QueueState = {
  readonly user_id: string;
  /** Waiting messages. */
  readonly queue_length: number;
  readonly is_processing: boolean;
  readonly current_message_id: string | null;
  readonly state: string;
  readonly oldest_wait_seconds: number;
  readonly messages: readonly QueuedMessage[];
};

export type QueuedMessage = {
  readonly message_id: string;
  readonly status: 'queued' | 'processing' | Other;
  /** 1 for the next one; 0 for the one that is worked on. */
  readonly queue_position: number;
  readonly queued_at: string;
};

/** How many waiting messages were cancelled. */
export type Cleared = { readonly user_id: string; readonly cancelled: number };

export const queueState: Guard<QueueState> = object({
  user_id: text,
  queue_length: number,
  is_processing: boolean,
  current_message_id: nullable(text),
  state: text,
  oldest_wait_seconds: number,
  messages: list(
    object({
      message_id: text,
      status: text,
      queue_position: number,
      queued_at: text,
    }),
  ),
});

export const cleared: Guard<Cleared> = object({ user_id: text, cancelled: number });
