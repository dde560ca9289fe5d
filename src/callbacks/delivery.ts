import type { DeliveryClaim } from '../../machines/events.ts';
import type { ClaimedDelivery } from '../store/outbox.ts';
import { type Details, readDetails } from './details.ts';
import type { Utterance, Voice } from './voice.ts';

/** A claimed callback, with what the machine has no business to know. */
export class Delivery implements DeliveryClaim {
  readonly queue: string;
  readonly url: string;
  readonly messageId: string;
  readonly token: number;
  readonly attempts: number;
  readonly details: Details;
  readonly #since: number;
  /** What tells of the message's progress. */
  voice: Voice | undefined;
  /** Told of, and not posted yet. */
  utterances: readonly Utterance[] = [];
  /** Id of the last event of the message's log that was heard. */
  heard = 0;
  /** How the message gets on is told no more: an attempt was in vain, or was before. */
  muted: boolean;

  constructor(claimed: ClaimedDelivery) {
    this.queue = claimed.queue;
    this.url = claimed.url;
    this.messageId = claimed.messageId;
    this.token = claimed.token;
    this.attempts = claimed.attempts;
    this.details = readDetails(claimed.details);
    this.#since = performance.now() - claimed.triedForMs;
    this.muted = claimed.attempts > 0;
  }

  /** For how long it has been tried, in ms. */
  get triedForMs(): number {
    return performance.now() - this.#since;
  }

  /** The delivery that a machine handed on as a claim. */
  static of(claim: DeliveryClaim): Delivery {
    if (claim instanceof Delivery) return claim;
    throw new Error('a claim reached an effect that did not come from the outbox');
  }
}
