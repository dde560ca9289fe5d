import type { DeliveryClaim, Destination } from '../../machines/events.ts';
import type { Trace } from '../trace.ts';

/**
 * The port to the callbacks that are still to be made. An entry comes in with the step that ends its message, or that
 * claims it first, and stays until it is delivered or given up. What the methods of the store promise holds here too:
 * each is atomic and may be repeated after StoreUnavailable.
 */
export interface Outbox {
  /**
   * Claims the oldest callback of a destination for `leaseMs`. Undefined when there is none, when it is not due yet, or
   * when another broker's claim is alive.
   */
  claim(destination: Destination): Promise<ClaimedDelivery | undefined>;

  /** Prolongs claims by the lease; answers those that were lost. Throws StoreUnavailable if no part of the store answers. */
  renew(claims: readonly DeliveryClaim[]): Promise<readonly DeliveryClaim[]>;

  /** Takes a callback out of the outbox; true when more wait for its destination. Throws ClaimLost. */
  settle(claim: DeliveryClaim, end: DeliveryEnd): Promise<boolean>;

  /** Keeps how far the message's progress was told, for whoever claims it next. Throws ClaimLost. */
  checkpoint(claim: DeliveryClaim, checkpoint: Checkpoint): Promise<void>;

  /** Gives the claim up: the callback is due again in `delayMs`. A claim already lost is no fault. */
  postpone(claim: DeliveryClaim, tries: Tries, delayMs: number): Promise<void>;
}

export type ClaimedDelivery = DeliveryClaim &
  Checkpoint & {
    readonly trace: Trace;
    /** What the message was given for its callback. */
    readonly details: string;
    /** Attempts before, all in vain. */
    readonly attempts: number;
    /** Since the first of them, in ms; 0 when there was none. */
    readonly triedForMs: number;
  };

/** How far the progress of a message was told: ids of events of its log. */
export type Checkpoint = {
  /** The last one that was told of; 0: none. */
  readonly told: number;
  /** The one that was told of in vain, after which nothing was told any more; 0: none. */
  readonly untold: number;
};

/** How often it was tried, and what came of the last attempt when it was in vain. */
export type Tries = { readonly attempts: number; readonly error: string };

/** `silent`: there was nothing to tell. */
export type DeliveryEnd = Tries & { readonly status: 'delivered' | 'undelivered' | 'silent' };

/** How a message's callback stands. */
export type DeliveryStatus = 'pending' | DeliveryEnd['status'];

/** What is to be told of a message, and where. */
export type Callback = {
  readonly url: string;
  /** Whatever the delivery needs to know. */
  readonly details: string;
  /** Its turn comes when the message is claimed first, to tell of its progress, or when it has ended. */
  readonly from: 'start' | 'end';
};
