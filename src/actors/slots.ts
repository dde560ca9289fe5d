import PQueue from 'p-queue';

/** The bound on worker calls open at once in this broker. A queue holds at most one slot. */
export class Slots {
  /** How many there are when the worker is well. */
  readonly concurrency: number;
  readonly #line: PQueue;
  readonly #held = new Map<string, () => void>();

  constructor(concurrency: number) {
    this.concurrency = concurrency;
    this.#line = new PQueue({ concurrency });
  }

  holds(queue: string): boolean {
    return this.#held.has(queue);
  }

  /** Queues that hold a slot, and those that wait for one. */
  get wanted(): number {
    return this.#held.size + this.#line.size;
  }

  /** False while calls are stopped. */
  get open(): boolean {
    return !this.#line.isPaused;
  }

  /** From now on at most `calls` more than there are now, never more than `concurrency`. With 0 whoever comes waits. */
  allow(calls: number): void {
    if (calls === 0) {
      this.#line.pause();
      return;
    }
    this.#line.concurrency = Math.min(this.concurrency, this.#held.size + calls);
    this.#line.start();
  }

  /** Queues that wait for a slot. */
  get waiting(): number {
    return this.#line.size;
  }

  /** Resolves once `queue` holds a slot, at once if it does already. Rejects when `signal` aborts first. */
  acquire(queue: string, signal: AbortSignal): Promise<void> {
    if (this.#held.has(queue)) return Promise.resolve();
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
    return promise;
  }

  /** Gives the slot back; without one, nothing happens. */
  free(queue: string): void {
    const done = this.#held.get(queue);
    this.#held.delete(queue);
    done?.();
  }
}
