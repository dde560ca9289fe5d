import type { Logger } from 'pino';
import type { Claim } from '../../machines/events.ts';
import type { Store } from '../store/store.ts';

type Held = { readonly claim: Claim; renewedAt: number };

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
    let ticks = 0;
    this.#timer = setInterval(() => {
      ticks += 1;
      this.#dropStale();
      if (ticks % 2 === 0) void this.#renew();
    }, parts.leaseMs / 6);
  }

  /** Keeps a claim alive that was asked for at `sentAt`, in `performance.now()` time: its lease began no earlier. */
  hold(claim: Claim, sentAt: number): void {
    this.#held.set(claim.queue, { claim, renewedAt: sentAt });
  }

  drop(claim: Claim): void {
    if (this.#holding(claim)) this.#held.delete(claim.queue);
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
    if (this.#renewing || !this.#held.size) return;
    this.#renewing = true;
    const sentAt = performance.now();
    const claims = [...this.#held.values()].map((held) => held.claim);
    try {
      const { renewed, lost, cancelled } = await this.#store.renew(claims);
      for (const claim of renewed) {
        const held = this.#holding(claim);
        if (held) held.renewedAt = sentAt;
      }
      for (const claim of lost) if (this.#holding(claim)) this.#lose(claim);
      if (renewed.length + lost.length < claims.length) this.#log.warn('some claims could not be renewed');
      for (const claim of cancelled) this.#onCancelled(claim);
    } catch (error) {
      this.#log.warn({ err: error }, 'claims could not be renewed');
    } finally {
      this.#renewing = false;
    }
  }

  #holding(claim: Claim): Held | undefined {
    const held = this.#held.get(claim.queue);
    return held?.claim.token === claim.token ? held : undefined;
  }

  #dropStale(): void {
    const oldest = performance.now() - this.#leaseMs * 0.75;
    for (const { claim, renewedAt } of [...this.#held.values()]) {
      if (renewedAt < oldest) this.#lose(claim);
    }
  }

  #lose(claim: Claim): void {
    this.#held.delete(claim.queue);
    const { messageId, queue, attempt } = claim;
    this.#log.warn({ message_id: messageId, user_id: queue, attempt }, 'claim lost: what is done for it is dropped');
    this.#onLost(claim);
  }
}
