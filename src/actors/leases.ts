import type { Logger } from 'pino';
import type { Claim } from '../../machines/events.ts';
import { causeOf } from '../errors.ts';
import { writeLine } from '../log.ts';
import { Register } from '../register.ts';
import type { CancelledClaim, Renewal, Store } from '../store/store.ts';
import { storyOf } from '../trace.ts';
import type { Turn } from './turn.ts';

/** So many are remembered; what is forgotten is found when the claim is next renewed. */
const MOST_EARLY = 1000;

type Held = { claim: Turn; readonly since: number; renewedAt: number; underWay: boolean };

/** A claim that is kept alive, and for how long it has been. */
export type Holding = { readonly claim: Claim; readonly heldMs: number };

/**
 * Keeps this broker's claims alive: one renewal for all of them, three times within a lease.
 *
 * A claim that could not be renewed is let go before its lease is over: another broker may call the worker from then on,
 * and the call under this claim has to have ended by that time (G1). Looked at six times within a lease and let go after
 * three quarters of one, a call ends after 11/12 of a lease at the latest.
 */
export class Leases {
  readonly #store: Store;
  readonly #leaseMs: number;
  readonly #log: Logger;
  /** Those held longest first. */
  readonly #held = new Register<string, Held>();
  readonly #timer: NodeJS.Timeout;
  /** Called with each claim that is no longer this broker's. */
  readonly #onLost: (claim: Claim) => void;
  /** Called with each claim whose message was cancelled; more than once, until it is dropped. */
  readonly #onCancelled: (claim: Turn) => void;
  /** Claims whose message was cancelled before their answer was here, the newest last. Tokens alone are one queue's. */
  readonly #early = new Set<string>();

  constructor(parts: {
    store: Store;
    leaseMs: number;
    log: Logger;
    onLost: (claim: Claim) => void;
    onCancelled: (claim: Turn) => void;
  }) {
    this.#store = parts.store;
    this.#leaseMs = parts.leaseMs;
    this.#log = parts.log;
    this.#onLost = parts.onLost;
    this.#onCancelled = parts.onCancelled;
    let ticks = 0;
    this.#timer = setInterval(() => {
      ticks += 1;
      this.#dropStale();
      if (ticks % 2 === 0) void this.#renew();
    }, parts.leaseMs / 6);
  }

  /**
   * Keeps a claim alive that was asked for at `sentAt`, in `performance.now()` time: its lease began no earlier. False
   * when so much of that is over that nothing may be begun under it.
   */
  hold(claim: Turn, sentAt: number): boolean {
    if (sentAt < this.#oldest()) return false;
    this.#held.delete(claim.queue);
    this.#held.set(claim.queue, { claim, since: sentAt, renewedAt: sentAt, underWay: false });
    if (this.#early.delete(nameOf(claim))) this.#onCancelled(claim);
    return true;
  }

  /** The next attempt begins under a claim that is held. */
  advance(claim: Turn): void {
    const held = this.#holding(claim);
    if (held) held.claim = claim;
  }

  /** The claims held longest, those first, at most `limit`. Costs the same whatever their number. */
  longest(limit: number): readonly Holding[] {
    const now = performance.now();
    return [...this.#held.values().take(limit)].map(({ claim, since }) => ({ claim, heldMs: now - since }));
  }

  /** The message of a claim was cancelled. The claim's own answer may still be on its way. */
  cancelled(gone: CancelledClaim): void {
    const claim = this.#held.get(gone.queue)?.claim;
    if (claim?.token === gone.token) {
      this.#onCancelled(claim);
      return;
    }
    this.#early.add(nameOf(gone));
    // Most of these are of claims that are over.
    for (const oldest of this.#early) {
      if (this.#early.size <= MOST_EARLY) break;
      this.#early.delete(oldest);
    }
  }

  /** Asks at once whether a claim is still held, and its message wanted: what has been told of that may have been lost. */
  async confirm(claim: Turn): Promise<void> {
    const sentAt = performance.now();
    await this.#store.renew([claim], (_, renewal) => this.#told(claim, renewal, sentAt));
  }

  /** Whether a claim is still kept alive. */
  holds(claim: Claim): boolean {
    return this.#holding(claim) !== undefined;
  }

  drop(claim: Claim): void {
    if (this.#holding(claim)) this.#held.delete(claim.queue);
  }

  /** The claim held for a queue, which is no longer kept alive. */
  take(queue: string): Turn | undefined {
    return this.#held.take(queue)?.claim;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #renew(): Promise<void> {
    const sentAt = performance.now();
    // One whose part of the store does not answer is asked for once at a time.
    const asked = [...this.#held.values()].filter((held) => !held.underWay);
    if (!asked.length) return;
    for (const held of asked) held.underWay = true;
    try {
      await this.#store.renew(
        asked.map(({ claim }) => claim),
        (claim, renewal) => this.#told(claim, renewal, sentAt),
      );
    } catch (error) {
      this.#log.warn({ reason: causeOf(error) }, 'some claims could not be renewed');
    }
    for (const held of asked) held.underWay = false;
  }

  #told(claim: Claim, renewal: Renewal, sentAt: number): void {
    const held = this.#holding(claim);
    if (!held) return;
    held.underWay = false;
    if (renewal === 'lost') {
      this.#lose(held.claim);
      return;
    }
    held.renewedAt = sentAt;
    if (renewal === 'cancelled') this.#onCancelled(held.claim);
  }

  #holding(claim: Claim): Held | undefined {
    const held = this.#held.get(claim.queue);
    return held?.claim.token === claim.token ? held : undefined;
  }

  #dropStale(): void {
    const oldest = this.#oldest();
    for (const { claim, renewedAt } of [...this.#held.values()]) {
      if (renewedAt < oldest) this.#lose(claim);
    }
  }

  /** What was not renewed since then is let go. */
  #oldest(): number {
    return performance.now() - this.#leaseMs * 0.75;
  }

  #lose(claim: Turn): void {
    this.#held.delete(claim.queue);
    writeLine(this.#log, 'warn', 'claim lost: what is done for it is dropped', () => storyOf(claim));
    this.#onLost(claim);
  }
}

function nameOf({ queue, token }: CancelledClaim): string {
  return `${token} ${queue}`;
}
