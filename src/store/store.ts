import type { Claim, Destination, EndStatus, Outcome } from '../../machines/events.ts';
import type { Trace } from '../trace.ts';
import type { Callback, DeliveryStatus, Outbox, Tries } from './outbox.ts';

/**
 * The port to everything that must survive this process. Two adapters keep it (`redis/`, `embedded/`) and one
 * contract suite (`test/store/`) holds both to it.
 *
 * Every method is atomic and may be repeated after `StoreUnavailable`: what has already happened does not happen again, and
 * whoever works under a claim is answered as the first time. Times are the store's own, in milliseconds since 1970, so that brokers whose clocks differ agree.
 */
export interface Store {
  readonly kind: 'redis' | 'embedded';
  /** The callbacks still to be made. */
  readonly outbox: Outbox;

  /**
   * Puts a message at the end of its queue, once for each of its deduplication keys, as its `ifBusy` says. With `begin` a
   * message that is alone in its queue is claimed in the same step, unless it interrupts.
   */
  enqueue(message: NewMessage, begin?: boolean): Promise<Enqueued>;

  /**
   * Puts a failed message at the end of its queue again, as if it had just been accepted: with no attempts and
   * a new log, which counts on from the old one. Of another message, or if `only` that is
   * asked for, a callback that was given up is put into the outbox again.
   * Undefined for a message this queue does not know. `by`: the request that asks for it; so below.
   */
  requeue(queue: string, messageId: string, only?: 'callback', by?: string): Promise<Requeued | undefined>;

  /**
   * Cancels a message: one that waits ends at once, the end of one in work is left to the broker that holds its claim,
   * or to the next claim. Undefined for a message this queue does not know.
   */
  cancel(queue: string, messageId: string, by?: string): Promise<Cancelled | undefined>;

  /** Cancels all that wait in a queue; answers how many. */
  clear(queue: string, by?: string): Promise<number>;

  /**
   * Claims the head of a queue for `leaseMs`: the first waiting message, or one whose claim ran out or is this
   * broker's own from before, then as its next attempt. Undefined when there is nothing, or another broker's claim is alive.
   * What has waited for too long on the way ends as expired, and a cancelled message whose claim ran out as cancelled.
   */
  claim(queue: string): Promise<ClaimedMessage | undefined>;

  /** Adds events to the log of a claimed message; `claim.last` is the id of the one before. Throws ClaimLost. */
  append(claim: Claim, last: number, events: readonly LogEvent[]): Promise<void>;

  /** Records that the claimed message is to be tried again, and says so in its log. Throws ClaimLost. */
  retry(claim: Claim, last: number, reason: string): Promise<ClaimedMessage>;

  /**
   * Ends a claimed message: its last events, its terminal event, its retention. Throws ClaimLost.
   * With `proceed`, the next message of the queue is claimed in the same step.
   */
  settle(
    claim: Claim,
    last: number,
    events: readonly LogEvent[],
    outcome: Outcome,
    proceed: boolean,
  ): Promise<SettledMessage>;

  /** Gives up a claim unfinished: the message is due again. A claim already lost is no fault. */
  release(claim: Claim, handover: Handover): Promise<void>;

  /**
   * Prolongs claims by the lease, and tells of each as soon as its part of the store has answered: another part that
   * hangs keeps nobody waiting. Throws StoreUnavailable when some did not answer.
   */
  renew(claims: readonly Claim[], tell: (claim: Claim, renewal: Renewal) => void): Promise<void>;

  /** Calls back, in passing and perhaps never, when a message that this broker has claimed was cancelled; `renew` tells for sure. */
  onCancelled(callback: (claim: CancelledClaim) => void): void;

  /**
   * Calls back with what calls of this broker did to messages that nobody works on, or that another one works on: before
   * the call's own answer, and never when that was lost.
   */
  onNotice(callback: (notice: Notice) => void): void;

  /**
   * A message's log after event `after`: at most `limit` events, and fewer when they are large, but at least one.
   * Undefined for a message this queue does not know.
   */
  read(queue: string, messageId: string, after: number, limit: number): Promise<LogPage | undefined>;

  /** How a message stands. Undefined for one this queue does not know. */
  message(queue: string, messageId: string): Promise<MessageState | undefined>;

  /**
   * Failed messages that are still kept, newest first, at most `limit`, after those of the page that ended with `after`.
   * Throws StoreUnavailable, within about a second, if any part of the store does not answer: none is left out unsaid.
   */
  deadLetters(limit: number, after?: DeadLetterPlace): Promise<readonly DeadLetter[]>;

  /**
   * Takes a message out of the dead letters, and a callback of it that was given up, or if `only` that is asked for, the
   * callback alone; the message itself stays readable until it is forgotten. False when it is no such dead letter,
   * undefined for a message this queue does not know.
   */
  discard(queue: string, messageId: string, only?: 'callback', by?: string): Promise<boolean | undefined>;

  /** The waiting messages of a queue and the one being worked on. */
  queue(queue: string): Promise<QueueState>;

  /**
   * Up to `limit` queues with work and no live claim, mostly those due for longest, and the counts kept for all queues. Costs the same whatever their
   * number. Ends messages that have waited for too long, a bounded number at a time. Throws StoreUnavailable if no part
   * of the store answers.
   */
  sweep(limit: number): Promise<Sweep>;

  /**
   * The queues whose first waiting message waits longest, those first, at most `limit`; of parts of the store that do
   * not answer, none. Costs the same whatever the number of queues. Throws StoreUnavailable if no part answers.
   */
  delayed(limit: number): Promise<readonly DelayedQueue[]>;

  /** Tells all brokers that share the store how this one is: `status`, a text of some kB, is forgotten after `ttlMs`. */
  announce(status: string, ttlMs: number): Promise<void>;

  /** What the brokers that share the store announced last, this one among them, in no order. */
  brokers(): Promise<readonly string[]>;

  /** Tells who watches the queue, on any broker, that the worker is still at a message. Not stored, and may get lost. */
  keepalive(claim: Claim, data: string): void;

  /** Calls back when a queue's messages gain events or move up, whoever caused it. Resolves once nothing can be missed. */
  watch(queue: string, onChange: (change: Change) => void): Promise<() => void>;

  /** Resolves when the store answers. Throws StoreUnavailable. */
  ping(): Promise<void>;

  close(): Promise<void>;
}

/** What a store needs to know of the broker that uses it. */
export type StoreSettings = {
  /** Unique to this process: the owner of its claims. */
  readonly brokerId: string;
  readonly leaseMs: number;
  /** Lease of the claim of a callback: longer than an attempt may take. */
  readonly deliveryLeaseMs: number;
  readonly maxQueueLength: number;
  /** A message that waits longer expires. */
  readonly messageTtlMs: number;
  /** How long a message is kept after its end, with its log. */
  readonly retentionMs: number;
  /** The same, for one that failed. */
  readonly deadLetterRetentionMs: number;
  readonly deduplicationMs: number;
};

export type NewMessage = {
  readonly id: string;
  readonly queue: string;
  /** What the worker is sent, as JSON text. */
  readonly payload: string;
  readonly trace: Trace;
  /** Keys under which the same message is accepted only once; see G3. */
  readonly deduplicationKeys: readonly string[];
  readonly ifBusy: IfBusy;
  readonly callback: Callback | undefined;
};

/** What a new message does when others wait or are worked on: line up, be refused, or have all of them cancelled. */
type IfBusy = 'enqueue' | 'reject' | 'interrupt';

export type Enqueued =
  /** `claimed`: when it was. */
  | { readonly type: 'queued'; readonly position: number; readonly claimed?: ClaimedMessage | undefined }
  | { readonly type: 'duplicate'; readonly id: string; readonly status: MessageStatus; readonly position: number }
  | { readonly type: 'full'; readonly length: number }
  /** Only with `reject`. */
  | { readonly type: 'busy' };

export type Requeued =
  | { readonly type: 'queued'; readonly position: number }
  /** Its callback is to be made again. */
  | { readonly type: 'redelivering' }
  /** Only when the callback alone was asked for. */
  | { readonly type: 'not_undelivered' }
  | { readonly type: 'full'; readonly length: number }
  | { readonly type: 'not_failed'; readonly status: MessageStatus };

export type Cancelled =
  | { readonly type: 'cancelled' }
  /** It is worked on: its call is being broken off. */
  | { readonly type: 'cancelling' }
  | { readonly type: 'ended'; readonly status: EndStatus };

export type Handover = {
  /** Whether the worker call of this attempt was made; otherwise the attempt is not counted. */
  readonly called: boolean;
  /** The message is due again in so many ms. */
  readonly delayMs: number;
};

/** `cancelled`: it is renewed, and its message was cancelled meanwhile. */
export type Renewal = 'renewed' | 'lost' | 'cancelled';

export type CancelledClaim = Pick<Claim, 'queue' | 'token'>;

/** What is done to a message from outside: `cancelled` and `expired` have ended it, `cancelling` asks for that. */
export const DEEDS = ['cancelling', 'cancelled', 'expired', 'requeued', 'redelivering', 'discarded'] as const;

export type Notice = {
  readonly queue: string;
  readonly messageId: string;
  readonly deed: (typeof DEEDS)[number];
  /** The last one there was; 0: none. */
  readonly attempt: number;
  readonly trace: Trace;
  /** The request that asked for it; undefined: none did. */
  readonly by: string | undefined;
};

export type MessageState = {
  readonly id: string;
  readonly status: MessageStatus;
  /** Place among the waiting, 0 when it does not wait. */
  readonly position: number;
  readonly attempts: number;
  readonly queuedAt: number;
  /** When it was claimed first. */
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  /** Why it ended otherwise than completed. */
  readonly failure: { readonly code: string; readonly error: string } | undefined;
  /** Id of the last event in its log. */
  readonly last: number;
  /** Undefined when it has none, or its turn has not come. */
  readonly callback: CallbackState | undefined;
};

/** How a message's callback stands, and what came of the last attempt in vain. */
export type CallbackState = Tries & { readonly status: DeliveryStatus };

/** Dead letters in the order of their pages. */
export function newestFirst<Place extends DeadLetterPlace>(letters: readonly Place[]): readonly Place[] {
  return letters.toSorted((a, b) => b.endedAt - a.endedAt || (a.messageId < b.messageId ? 1 : -1));
}

/** Where a dead letter is among all of them, for the page after it. */
export type DeadLetterPlace = { readonly endedAt: number; readonly messageId: string };

/** A message that failed, or a callback that could not be made: then attempts, end, code and error are its own. */
export type DeadLetter = {
  readonly kind: 'message' | 'callback';
  readonly queue: string;
  readonly messageId: string;
  readonly attempts: number;
  readonly queuedAt: number;
  readonly endedAt: number;
  readonly code: string;
  readonly error: string;
};

export type MessageStatus = 'queued' | 'processing' | EndStatus;

/** An event of a message's log, its name one word. An unnamed one is the worker's own, its data the worker's bytes. */
export type LogEvent = { readonly name: string; readonly data: string };

/** A claim with what is needed to act on it. */
export type ClaimedMessage = Claim & {
  readonly payload: string;
  readonly trace: Trace;
  /** Id of the last event in the log. */
  readonly last: number;
  /** From its acceptance to its first claim, in ms by the store's clock. */
  readonly waitedMs: number;
  readonly callback: Pick<Callback, 'url' | 'from'> | undefined;
};

export type SettledMessage = {
  readonly next: ClaimedMessage | undefined;
  readonly waiting: boolean;
  readonly last: number;
};

/** A page of a log ends once it holds so many bytes, so that large events neither pile up nor hold up others. */
export const PAGE_BYTES = 262_144;

export type LogPage = {
  readonly status: MessageStatus;
  /** Place among the waiting, 0 when it no longer waits. */
  readonly position: number;
  /** Id of the event before the first of `events`: the one asked for, unless the log begins later. */
  readonly after: number;
  /** From `after + 1` on, without a gap. */
  readonly events: readonly LogEvent[];
  /** Id of the last event in the log, whether or not the page reaches it. */
  readonly last: number;
};

export type QueueState = {
  readonly processing: { readonly id: string; readonly attempt: number; readonly queuedAt: number } | undefined;
  readonly waiting: readonly { readonly id: string; readonly queuedAt: number }[];
  /** The store's time of this answer. */
  readonly now: number;
};

/** A queue in which messages wait: for how long the first of them, and how many they are. */
export type DelayedQueue = { readonly queue: string; readonly waitMs: number; readonly length: number };

export type Sweep = {
  readonly due: readonly string[];
  /** There may be more of them. */
  readonly more: boolean;
  /** Some of those to which a callback is due. */
  readonly destinations: readonly Destination[];
  readonly counts: Counts;
  readonly totals: Totals;
  /** False when a part of the store did not answer, and all this is without it, or may not be changed now and is not in `due`. */
  readonly complete: boolean;
};

export type Counts = {
  /** Queues with a message waiting or being worked on. */
  readonly activeQueues: number;
  readonly waiting: number;
  readonly processing: number;
  /** Age of the oldest waiting message in milliseconds; 0 when none waits. */
  readonly oldestWaitMs: number;
  /** Callbacks in the outbox. */
  readonly callbacks: number;
  /** Failed messages and callbacks given up, to be dealt with; when they are many, as of up to ten seconds ago. */
  readonly deadLetters: number;
};

/**
 * How many messages were accepted since the store was made, and how many ended in which way; each time, of one that was
 * retried. They only grow.
 */
export type Totals = { readonly [name in 'accepted' | EndStatus]: number };

export const END_STATUSES = ['completed', 'failed', 'cancelled', 'expired'] as const satisfies readonly EndStatus[];

/** In the order in which the stores tell them. */
export const TOTALS = ['accepted', ...END_STATUSES] as const;

/** News of a queue: a message's log has grown to `last`, or those waiting have moved. */
export type Change = {
  /** Empty in READ_AGAIN: any message of the queue. */
  readonly messageId: string;
  readonly last: number;
  /** The new events up to `last`, when this broker wrote them itself; otherwise they are to be read. */
  readonly events: readonly LogEvent[] | undefined;
  readonly moved: boolean;
  /** A sign of life of the worker, its text. */
  readonly keepalive?: string;
};

/** Told when news may have been missed: whatever is followed in this queue has to be read again. */
export const READ_AGAIN: Change = { messageId: '', last: Number.MAX_SAFE_INTEGER, events: undefined, moved: true };
