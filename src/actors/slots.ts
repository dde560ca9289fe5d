import PQueue from 'p-queue';

/** The bound on worker calls open at once in this broker. A queue holds at most one slot. */
export class Slots {
  /** How many there are when the worker is well. */
  readonly concurrency: number;
  readonly #line: PQueue;
  readonly #held = new Map<string, () => void>();
  /** Queues that held a slot when calls were stopped, and still do. */
  readonly #before = new Set<string>();
  #stopped = new AbortController();
  /** How many others may hold one. */
  #allowed: number;

  constructor(concurrency: number) {
    this.concurrency = concurrency;
    this.#allowed = concurrency;
    this.#line = new PQueue({ concurrency });
  }

  /** Queues that hold a slot, and those that wait for one. */
  get wanted(): number {
    return this.#held.size + this.#line.size;
  }

  /** Queues that hold a slot. */
  get held(): number {
    return this.#held.size;
  }

  /** False while calls are stopped. */
  get open(): boolean {
    return !this.#line.isPaused;
  }

  /** Aborted while calls are stopped. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  /** Whether a queue may keep its slot for its next call: it has one, and nobody else waits for one. */
  passesOn(queue: string): boolean {
    return this.open && this.#held.has(queue) && !this.#before.has(queue) && this.#line.size === 0;
  }

  /**
   * With 0 calls are stopped: whoever comes waits. Then so many may be open at once besides those that were already,
   * never more than `concurrency` in all.
   */
  allow(calls: number): void {
    this.#allowed = calls;
    if (calls === 0) {
      this.#line.pause();
      this.#stopped.abort(new Error('no calls are made for now'));
      for (const queue of this.#held.keys()) this.#before.add(queue);
      return;
    }
    this.#bound();
    if (this.#stopped.signal.aborted) this.#stopped = new AbortController();
    this.#line.start();
  }

  /** Resolves once `queue` holds a slot, at once if it does already. Rejects when `signal` aborts first. */
  async acquire(queue: string, signal: AbortSignal): Promise<void> {
    // A signal that has aborted already says so no more: who waited under it would be given a slot that nobody gives back.
    signal.throwIfAborted();
    if (this.#held.has(queue)) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // p-queue would end a running task too when its signal aborts, and with it a slot that is in use.
    const waiting = new AbortController();
    const leave = () => waiting.abort(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    const hold = () =>
      new Promise<void>((done) => {
        signal.removeEventListener('abort', leave);
        this.#held.set(queue, done);
        resolve();
      });
    this.#line.add(hold, { signal: waiting.signal }).catch(reject);
    await promise;
  }

  /** Gives the slot back; without one, nothing happens. */
  free(queue: string): void {
    const done = this.#held.get(queue);
    this.#held.delete(queue);
    // A call from before the stop makes no room for a new one.
    if (this.#before.delete(queue) && this.open) this.#bound();
    done?.();
  }

  #bound(): void {
    this.#line.concurrency = Math.min(this.concurrency, this.#before.size + this.#allowed);
  }
}
