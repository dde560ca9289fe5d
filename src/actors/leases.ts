import type { Logger } from 'pino';
import type { Claim } from '../../machines/events.ts';
import type { Store } from '../store/store.ts';

type Held = { readonly claim: Claim; renewedAt: number };

/** Keeps this broker's claims alive: one renewal for all of them, three times within a lease. */
export class Leases {
  readonly #store: Store;
  readonly #leaseMs: number;
  readonly #log: Logger;
  readonly #held = new Map<string, Held>();
  readonly #timer: NodeJS.Timeout;
  /** Called with each claim that is no longer this broker's. */
  readonly #onLost: (claim: Claim) => void;
  /** Called with each claim whose message was cancelled; more than once, until it is dropped. */
  readonly #onCancelled: (claim: Claim) => void;
  #renewing = false;

  constructor(parts: {
    store: Store;
    leaseMs: number;
    log: Logger;
    onLost: (claim: Claim) => void;
    onCancelled: (claim: Claim) => void;
  }) {
    this.#store = parts.store;
    this.#leaseMs = parts.leaseMs;
    this.#log = parts.log;
    this.#onLost = parts.onLost;
    this.#onCancelled = parts.onCancelled;
    this.#timer = setInterval(() => void this.#renew(), parts.leaseMs / 3);
  }

  hold(claim: Claim): void {
    this.#held.set(claim.queue, { claim, renewedAt: performance.now() });
  }

  drop(claim: Claim): void {
    if (this.#held.get(claim.queue)?.claim.token === claim.token) this.#held.delete(claim.queue);
  }

  /** The claim held for a queue, which is no longer kept alive. */
  take(queue: string): Claim | undefined {
    const claim = this.#held.get(queue)?.claim;
    this.#held.delete(queue);
    return claim;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #renew(): Promise<void> {
    this.#dropStale();
    if (this.#renewing || !this.#held.size) return;
    this.#renewing = true;
    const sentAt = performance.now();
    const claims = [...this.#held.values()].map((held) => held.claim);
    try {
      const { lost, cancelled } = await this.#store.renew(claims);
      const gone = new Set(lost);
      for (const claim of claims) {
        const held = this.#held.get(claim.queue);
        if (held?.claim.token !== claim.token) continue;
        if (gone.has(claim)) this.#lose(claim);
        else held.renewedAt = sentAt;
      }
      for (const claim of cancelled) this.#onCancelled(claim);
    } catch (error) {
      this.#log.warn({ err: error }, 'claims could not be renewed');
    } finally {
      this.#renewing = false;
    }
  }

  /** What was not renewed within the lease may be another broker's by now: its worker call must end (G1). */
  #dropStale(): void {
    const oldest = performance.now() - this.#leaseMs;
    for (const { claim, renewedAt } of [...this.#held.values()]) {
      if (renewedAt < oldest) this.#lose(claim);
    }
  }

  #lose(claim: Claim): void {
    this.#held.delete(claim.queue);
    this.#onLost(claim);
  }
}
