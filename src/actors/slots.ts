/**
 * The bound on worker calls open at once in this broker: first come, first served. A queue holds at most one slot. Not
 * p-queue: a slot has to be had at once when one is free, and with it, it cost 8 of the 280 µs of a message.
 */
export class Slots {
  /** How many there are when the worker is well. */
  readonly concurrency: number;
  readonly #held = new Set<string>();
  /** Who waits for one, in the order in which they came. */
  readonly #waiting = new Map<string, () => void>();
  /** Queues that held a slot when calls were stopped, and still do. */
  readonly #before = new Set<string>();
  #stopped = new AbortController();
  /** How many others may hold one. */
  #allowed: number;

  constructor(concurrency: number) {
    this.concurrency = concurrency;
    this.#allowed = concurrency;
  }

  /** Queues that hold a slot, and those that wait for one. */
  get wanted(): number {
    return this.#held.size + this.#waiting.size;
  }

  /** Queues that hold a slot. */
  get held(): number {
    return this.#held.size;
  }

  /** False while calls are stopped. */
  get open(): boolean {
    return this.#allowed > 0;
  }

  /** Aborted while calls are stopped. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  /** How many would get one at once who ask now. */
  get free(): number {
    return this.open && !this.#waiting.size ? Math.max(0, this.#bound - this.#held.size) : 0;
  }

  /** Whether a queue may keep its slot for its next call: it has one, and nobody else waits for one. */
  passesOn(queue: string): boolean {
    return this.open && this.#held.has(queue) && !this.#before.has(queue) && !this.#waiting.size;
  }

  /**
   * With 0 calls are stopped: whoever comes waits. Then so many may be open at once besides those that were already,
   * never more than `concurrency` in all.
   */
  allow(calls: number): void {
    this.#allowed = calls;
    if (calls === 0) {
      this.#stopped.abort(new Error('no calls are made for now'));
      for (const queue of this.#held) this.#before.add(queue);
      return;
    }
    if (this.#stopped.signal.aborted) this.#stopped = new AbortController();
    this.#admit();
  }

  /** Resolves once `queue` holds a slot, at once if it does already. Rejects when `signal` aborts first. */
  async acquire(queue: string, signal: AbortSignal): Promise<void> {
    // A signal that has aborted already says so no more: who waited under it would be given a slot that nobody gives back.
    signal.throwIfAborted();
    if (this.#held.has(queue)) return;
    if (this.free > 0) {
      this.#held.add(queue);
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      this.#waiting.delete(queue);
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#waiting.set(queue, () => {
      signal.removeEventListener('abort', leave);
      resolve();
    });
    await promise;
  }

  /** Gives the slot back; without one, nothing happens. */
  release(queue: string): void {
    this.#held.delete(queue);
    this.#before.delete(queue);
    this.#admit();
  }

  /** A call from before a stop makes no room for a new one. */
  get #bound(): number {
    return Math.min(this.concurrency, this.#before.size + this.#allowed);
  }

  #admit(): void {
    for (const [queue, tell] of this.#waiting) {
      if (!this.open || this.#held.size >= this.#bound) return;
      this.#waiting.delete(queue);
      this.#held.add(queue);
      tell();
    }
  }
}
