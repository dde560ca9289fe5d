import type { DeliveryClaim } from '../../machines/events.ts';
import type { ClaimedDelivery } from '../store/outbox.ts';
import type { Feed } from '../stream/feed.ts';
import { type Details, readDetails } from './details.ts';
import type { Utterance, Voice } from './voice.ts';

/** `at`: the id of the event for which it is told. */
export type Told = Utterance & { readonly at: number };

/** A claimed callback, with what the machine has no business to know. */
export class Delivery implements DeliveryClaim {
  readonly queue: string;
  readonly url: string;
  readonly messageId: string;
  readonly token: number;
  readonly attempts: number;
  readonly details: Details;
  /** It was claimed before: what was in the log by now is not told again, but for the end. */
  readonly again: boolean;
  readonly #since: number;
  /** The message's live end, while it is followed. */
  feed: Feed | undefined;
  /** What tells of the message's progress. */
  voice: Voice | undefined;
  /** Told of, and not posted yet. */
  utterances: readonly Told[] = [];
  /** The event for which what is being posted is told. */
  telling = 0;
  /** What was told for this event and for later ones the endpoint did not take; Infinity while it takes all. */
  keepFrom: number;
  /** Id of the last event of the message's log that was heard. */
  heard = 0;
  /** Up to this event what there is to tell of progress was told before, or is too late. */
  told = 0;
  /** Why nothing more is to be told: the endpoint said so (410). */
  refused: string | undefined;

  constructor(claimed: ClaimedDelivery) {
    this.queue = claimed.queue;
    this.url = claimed.url;
    this.messageId = claimed.messageId;
    this.token = claimed.token;
    this.attempts = claimed.attempts;
    this.details = readDetails(claimed.details);
    this.again = claimed.again;
    this.#since = performance.now() - claimed.triedForMs;
    // How much it took before an attempt in vain nobody knows: rather twice than never.
    this.keepFrom = claimed.attempts ? 0 : Infinity;
  }

  /** How the message gets on is told no more: an attempt was in vain. */
  get muted(): boolean {
    return this.keepFrom < Infinity;
  }

  /** For how long it has been tried in vain, in ms: before the first attempt, 0. */
  get triedForMs(): number {
    return this.attempts ? performance.now() - this.#since : 0;
  }

  /** The delivery that a machine handed on as a claim. */
  static of(claim: DeliveryClaim): Delivery {
    if (claim instanceof Delivery) return claim;
    throw new Error('a claim reached an effect that did not come from the outbox');
  }
}
