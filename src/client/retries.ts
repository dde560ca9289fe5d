import type { BrokerError } from './error.ts';

/** Until the broker says otherwise (`retry:`). */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

/** When to try again: in pauses that double, each cut at random so that not all clients come back at once. */
export class Retries {
  /** How long the first pause is at most. */
  #firstPauseMs = FIRST_PAUSE_MS;
  readonly #patienceMs: number;
  readonly #also: readonly number[];
  #failures = 0;
  /** When the first of these failures came. */
  #since = 0;

  /** `patienceMs`: for so long after the first failure it is tried again. `also`: statuses that are passing as well. */
  constructor(patienceMs: number, also: readonly number[] = []) {
    this.#patienceMs = patienceMs;
    this.#also = also;
  }

  /** The broker says how soon to come back. */
  comeBackAfter(ms: number): void {
    this.#firstPauseMs = ms;
  }

  /** It is well again: what failed before counts no more. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** How many milliseconds to wait before it may be tried again. Throws the fault when that is no use or patience has run out. */
  pauseAfter(fault: BrokerError): number {
    const now = performance.now();
    if (!this.#failures) this.#since = now;
    const leftMs = this.#since + this.#patienceMs - now;
    const { status, retryAfterMs } = fault;
    const passing = fault.passing || this.#also.includes(status);
    if (!passing || leftMs <= 0 || (retryAfterMs ?? 0) > leftMs) throw fault;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, this.#firstPauseMs * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures += 1;
    // What comes back at once is spread by up to a first pause.
    const spreadMs = retryAfterMs === undefined ? 0 : retryAfterMs + Math.random() * this.#firstPauseMs;
    return Math.max(Math.min(pauseMs, leftMs), spreadMs);
  }
}
