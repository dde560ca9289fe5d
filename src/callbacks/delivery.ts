import type { DeliveryClaim } from '../../machines/events.ts';
import type { Checkpoint, ClaimedDelivery } from '../store/outbox.ts';
import type { Feed } from '../stream/feed.ts';
import type { Trace } from '../trace.ts';
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
  readonly trace: Trace;
  readonly #since: number;
  /** The message's live end, while it is followed. */
  feed: Feed | undefined;
  /** What tells of the message's progress. */
  voice: Voice | undefined;
  /** Told of, and not posted yet. */
  utterances: readonly Told[] = [];
  /** The event for which what is being posted is told. */
  telling = 0;
  /** When its end was posted first, in `performance.now()` time. */
  postedAt: number | undefined;
  /** Id of the last event of the message's log that was heard. */
  heard = 0;
  /** How far the message's progress was told, by whichever broker. */
  checkpoint: Checkpoint;
  /** Why nothing more is to be told: the endpoint said so (410). */
  refused: string | undefined;

  constructor(claimed: ClaimedDelivery) {
    this.queue = claimed.queue;
    this.url = claimed.url;
    this.messageId = claimed.messageId;
    this.token = claimed.token;
    this.attempts = claimed.attempts;
    this.details = readDetails(claimed.details);
    this.trace = claimed.trace;
    this.#since = performance.now() - claimed.triedForMs;
    this.checkpoint = { told: claimed.told, untold: claimed.untold };
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
