import type { Hearing } from './connection.ts';
import type { BrokerError } from './error.ts';

/** Until the broker says otherwise (`retry:`). */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;

/** When to try again: in pauses that double, each cut at random so that not all clients come back at once. */
export class Retries implements Hearing {
  /** How long the first pause is at most. */
  #firstPauseMs = FIRST_PAUSE_MS;
  readonly #patienceMs: number;
  #failures = 0;
  #lastContact = performance.now();

  /** `patienceMs`: for so long without contact it is tried again. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  retry(ms: number): void {
    this.#firstPauseMs = ms;
  }

  heard(): void {
    this.#failures = 0;
    this.#lastContact = performance.now();
  }

  /** Waits until it may be tried again. Throws the fault when that is no use or patience has run out, and the signal's reason. */
  async pause(fault: BrokerError, signal?: AbortSignal): Promise<void> {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, this.#firstPauseMs * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures += 1;
    // What comes back at once is spread by up to a first pause.
    const ms = Math.max(pauseMs, (fault.retryAfterMs ?? 0) + Math.random() * this.#firstPauseMs);
    const waited = performance.now() - this.#lastContact;
    if (!fault.passing || waited + ms > this.#patienceMs) throw fault;
    await pause(ms, signal);
  }
}

async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal?.addEventListener('abort', over);
  });
  signal?.throwIfAborted();
}
