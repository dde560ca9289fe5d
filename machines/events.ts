/**
 * The words machines and actors share: what is claimed, how a message ends, who tells whom what.
 * Types only, so that behaviour stays free of I/O.
 */
import type { ErrorActorEvent } from 'xstate';

/** The right to work on one queue's head message, proven on every write by its fencing token. */
export type Claim = {
  readonly queue: string;
  readonly messageId: string;
  /** Fencing token: grows with every claim of a queue, so a write with an older one is refused. */
  readonly token: number;
  /** 1 for the first worker call of this message. */
  readonly attempt: number;
};

/** How a message can end. */
export type EndStatus = 'completed' | 'failed' | 'cancelled' | 'expired';

/** The end of a message, as its last event will tell it. */
export type Outcome =
  | { readonly status: 'completed' }
  | { readonly status: Exclude<EndStatus, 'completed'>; readonly code: string; readonly error: string };

/** What came of trying to open a worker call. */
export type Opening =
  | { readonly type: 'opened' }
  /** No event has arrived, so the same message may be tried again after `delayMs`. */
  | { readonly type: 'refused'; readonly delayMs: number; readonly reason: string }
  /** The message has ended without a stream. */
  | ({ readonly type: 'settled' } & Settled);

/** How a message ended, and what settling it left: the next claim if it was taken in the same step, and whether messages still wait. */
export type Settled = { readonly outcome: Outcome; readonly next: Claim | undefined; readonly waiting: boolean };

/** What a user's actor is told. */
export type UserEvent =
  /** There may be work in the queue. A hint: it carries no message. */
  | { readonly type: 'work' }
  /** Go, unless there is work again. */
  | { readonly type: 'retire' }
  /** Finish the call in hand, claim nothing more. */
  | { readonly type: 'drain' }
  /** Stop the call in hand and hand the claim over. */
  | { readonly type: 'abort' }
  /** The claim with this token belongs to another broker now: drop the work. */
  | { readonly type: 'claim.lost'; readonly token: number }
  /** What came of the effect of the state that it is in. */
  | { readonly type: 'claim.done'; readonly output: Claim | undefined }
  | { readonly type: 'open.done'; readonly output: Opening }
  | { readonly type: 'backOff.done'; readonly output: Claim | undefined }
  | { readonly type: 'relay.done'; readonly output: Settled }
  | { readonly type: 'release.done' }
  | { readonly type: `${UserEffect}.failed`; readonly error: unknown };

/** What a user does to the world, one at a time. */
export type UserEffect = 'claim' | 'open' | 'backOff' | 'relay' | 'release';

/** One user's callbacks to one URL: made one after the other, in the order in which their messages ended. */
export type Destination = { readonly queue: string; readonly url: string };

/** The right to make the callback that is next for a destination. */
export type DeliveryClaim = Destination & {
  readonly messageId: string;
  /** Fencing token: what is written under an older one is refused. */
  readonly token: number;
};

/** What is to be told next of a message. */
export type Tidings =
  /** How it gets on. More will follow, so this is tried once. */
  | { readonly type: 'progress'; readonly body: string }
  /** How it ended. `id` is the same each time that is told. */
  | { readonly type: 'end'; readonly body: string; readonly id: string }
  /** There is nothing to tell. */
  | { readonly type: 'silent' };

/** What came of one attempt at a callback. */
export type Posted =
  | { readonly type: 'delivered' }
  /** To be tried again in so many ms. */
  | { readonly type: 'failed'; readonly error: string; readonly delayMs: number }
  /** Not to be tried again. */
  | { readonly type: 'refused'; readonly error: string };

/** What a delivery's actor is told. */
export type DeliveryEvent =
  /** Finish the attempt in hand, and give up the claim. */
  | { readonly type: 'drain' }
  /** Break the attempt in hand off, and give up the claim. */
  | { readonly type: 'abort' }
  /** The claim with this token belongs to another broker now. */
  | { readonly type: 'claim.lost'; readonly token: number };

/** What the supervisor is told. */
export type SupervisorEvent =
  | { readonly type: 'user.broken'; readonly queue: string; readonly error: unknown }
  /** The same, told by XState itself. */
  | ErrorActorEvent
  | { readonly type: 'queue.work'; readonly queue: string }
  | { readonly type: 'user.idle'; readonly queue: string }
  | { readonly type: 'users.gone' }
  | { readonly type: 'claim.lost'; readonly queue: string; readonly token: number }
  | { readonly type: 'drain' }
  | { readonly type: 'abort' };

/** What the worker's health is told of the calls that are made. */
export type WorkerHealthEvent =
  /** The worker answered a call, whatever it said. */
  | { readonly type: 'call.reached' }
  /** A call was refused, reset before an answer, or told by a gateway that nobody is there. */
  | { readonly type: 'call.unreachable'; readonly queue: string };
