/**
 * All that is known of one run, as plain data: what clients sent and saw, what the worker saw, what became of the
 * brokers, and the store at the end. Times (`…Ms`) are of one clock, the test's.
 */
export type History = {
  readonly leaseMs: number;
  /** Requests to accept a message. Those of one queue stand in the order in which its one client made them. */
  readonly sendings: readonly Sending[];
  /** Requests to cancel something. */
  readonly cancellings: readonly Cancelling[];
  /** Connections to messages' events. Those of one listener stand in the order in which it made them. */
  readonly listenings: readonly Listening[];
  /** Worker calls, in the order in which they reached the worker. */
  readonly calls: readonly WorkerCall[];
  readonly disturbances: readonly Disturbance[];
  /** What brokers logged as an error of their own, and how those ended that nobody ended. */
  readonly brokerFaults: readonly string[];
  readonly workerOutages: readonly Outage[];
  readonly messages: readonly StoredMessage[];
  readonly left: WorkLeft;
};

/** One request to accept a message. A client makes the next one when it has this one's answer, or has given up waiting for it. */
export type Sending = {
  readonly queue: string;
  readonly clientMessageId: string;
  /** What the message says: never the same in two messages. */
  readonly text: string;
  /** It was to cancel all that is before it in its queue. */
  readonly interrupts: boolean;
  readonly answer: Answer;
  /** When the answer was there, or given up on. */
  readonly answeredMs: number;
};

/** One request to cancel a message, or all that wait in a queue. */
export type Cancelling = {
  readonly queue: string;
  /** Undefined: all that wait. */
  readonly messageId: string | undefined;
  readonly sentMs: number;
  /** Undefined where none came. */
  readonly answer: { readonly status: number } | undefined;
  /** When the answer was there, or given up on. */
  readonly answeredMs: number;
};

export type Answer =
  /** `duplicate` is undefined where the answer does not tell: when it is the event stream itself. */
  | { readonly type: 'accepted'; readonly messageId: string; readonly duplicate: boolean | undefined }
  | { readonly type: 'refused'; readonly status: number; readonly code: string }
  /** The connection broke or the client's patience ended: nobody knows whether the message was accepted. */
  | { readonly type: 'unknown' };

/** One connection to a message's events. */
export type Listening = {
  /** Who listens: the same name each time it comes back. */
  readonly listener: string;
  readonly queue: string;
  readonly messageId: string;
  /** The `Last-Event-ID` it began from; 0 for none. */
  readonly after: number;
  readonly events: readonly SeenEvent[];
  readonly end: ListeningEnd;
};

/** `id` is undefined for what is told in passing and not stored; `name` is empty for the worker's own events. */
export type SeenEvent = { readonly id: number | undefined; readonly name: string; readonly data: string };

export type ListeningEnd =
  /** The response came to its end. */
  | 'closed'
  /** The listener went. */
  | 'left'
  /** The connection broke. */
  | 'broken'
  /** Still open when the run was given up. */
  | 'waiting'
  /** Answered with this status instead of a stream. */
  | number;

/** One call that reached the worker. */
export type WorkerCall = {
  /** Its `Idempotency-Key`. */
  readonly messageId: string | undefined;
  /** Its `X-Attempt`. */
  readonly attempt: number | undefined;
  readonly queue: string;
  readonly text: string;
  /** The broker process that made it. */
  readonly broker: string;
  /** Places in the order of all that happened at the worker: the call was there; its response was over, undefined when it never was. */
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
  /** The broker went before the response was over. */
  readonly clientGone: boolean;
  /** It had gone before the call was read: broken off, and too late to be taken back. */
  readonly goneOnArrival: boolean;
  /** The events sent, keepalives left out. */
  readonly sent: readonly string[];
};

/** What kept a broker process from renewing its claims. */
export type Disturbance = Outage & {
  readonly broker: string;
  /** Killed; stopped in its tracks and going on later; or without its store. */
  readonly kind: 'killed' | 'frozen' | 'cut off';
};

/** A time that no run comes to see, and that JSON can hold. */
export const FOREVER = Number.MAX_SAFE_INTEGER;

export type Outage = {
  readonly fromMs: number;
  /** `FOREVER` for what does not pass. */
  readonly toMs: number;
};

/** A message as the store has it at the end. */
export type StoredMessage = {
  readonly queue: string;
  readonly messageId: string;
  readonly status: string;
  readonly log: readonly LoggedEvent[];
};

/** An event of the log; its id is its place, counted from 1. */
export type LoggedEvent = { readonly name: string; readonly data: string };

/** What the store still counts and lists as unfinished at the end. */
export type WorkLeft = {
  readonly activeQueues: number;
  readonly waiting: number;
  readonly processing: number;
  readonly messageIds: readonly string[];
};
