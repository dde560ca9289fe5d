import { Register } from '../register.ts';

/** A slot with which no call is made stays with a queue for so long while the store is asked for one. */
const LATE_MS = 1000;

/**
 * The bound on worker calls open at once in this broker: first come, first served. A queue holds at most one slot. Not
 * p-queue: a slot has to be had at once when one is free, and with it, it cost 8 of the 280 µs of a message.
 */
export class Slots {
  /** How many there are when the worker is well. */
  readonly concurrency: number;
  readonly #held = new Set<string>();
  /** Queues that hold a slot and make no call with it yet, and when another may have it, in `performance.now()` time. */
  readonly #idle = new Map<string, number>();
  /** Who waits for one, in the order in which they came. */
  readonly #waiting = new Register<string, () => void>();
  /** Queues that held a slot when calls were stopped, and still do. */
  readonly #before = new Set<string>();
  #stopped = new AbortController();
  /** How many others may hold one. */
  #allowed: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(concurrency: number) {
    this.concurrency = concurrency;
    this.#allowed = concurrency;
  }

  /** Queues that hold a slot, and those that wait for one. */
  get wanted(): number {
    return this.#held.size + this.#waiting.size;
  }

  /** Queues that hold a slot for a call. */
  get held(): number {
    return this.#held.size - this.#idle.size;
  }

  /** False while calls are stopped. */
  get open(): boolean {
    return this.#allowed > 0;
  }

  /** Aborted while calls are stopped. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  /** How many nobody holds. */
  get free(): number {
    return this.open && !this.#waiting.size ? Math.max(0, this.#bound - this.#held.size) : 0;
  }

  /**
   * Holds a slot for a queue, if there is one, while the store is asked for a call to make with it. One that waits for the
   * store for too long loses it to who can use it: a part of the store that hangs is to hold up nobody else (G7).
   */
  reserve(queue: string): void {
    if (!this.take(queue)) return;
    this.#idle.set(queue, performance.now() + LATE_MS);
    if (this.#waiting.size) this.#lookForLate();
  }

  /**
   * The call of a queue has ended. True: its slot is kept for its next call, like one that is reserved. False: it had none,
   * or has given it back, for somebody waits or calls are stopped.
   */
  keep(queue: string): boolean {
    if (this.open && this.#held.has(queue) && !this.#before.has(queue) && !this.#waiting.size) {
      this.reserve(queue);
      return true;
    }
    this.release(queue);
    return false;
  }

  /** Whether `queue` has a slot to make a call with: it held one, or one was to be had at once. */
  take(queue: string): boolean {
    if (!this.#held.has(queue) && this.free === 0 && !this.#takeIdle()) return false;
    this.#held.add(queue);
    this.#idle.delete(queue);
    return true;
  }

  /**
   * With 0 calls are stopped: whoever comes waits. Then so many may be open at once besides those that were already,
   * never more than `concurrency` in all.
   */
  allow(calls: number): void {
    this.#allowed = calls;
    if (calls === 0) {
      this.#stopped.abort(new Error('no calls are made for now'));
      for (const queue of this.#idle.keys()) this.release(queue);
      for (const queue of this.#held) this.#before.add(queue);
      return;
    }
    if (this.#stopped.signal.aborted) this.#stopped = new AbortController();
    this.#admit();
  }

  /** Resolves once `queue` holds a slot, at once if it does already. Rejects when `signal` aborts first. */
  acquire(queue: string, signal: AbortSignal): Promise<void> {
    // A signal that has aborted already says so no more: who waited under it would be given a slot that nobody gives back.
    if (signal.aborted) return Promise.try(() => signal.throwIfAborted());
    if (this.take(queue)) return Promise.resolve();
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
    this.#lookForLate();
    return promise;
  }

  /** Gives the slot back; without one, nothing happens. */
  release(queue: string): void {
    this.#held.delete(queue);
    this.#idle.delete(queue);
    this.#before.delete(queue);
    this.#admit();
  }

  /** Whether a slot was taken from a queue that has made no call with it for too long. */
  #takeIdle(): boolean {
    if (!this.open || this.#waiting.size) return false;
    for (const [queue, from] of this.#idle) {
      if (from > performance.now()) continue;
      this.#idle.delete(queue);
      return this.#held.delete(queue);
    }
    return false;
  }

  /** Once one that waits for the store does so for too long, those who wait for a slot get it. Those idle first come first. */
  #lookForLate(): void {
    const [from] = this.#idle.values();
    if (this.#timer || from === undefined) return;
    const look = () => {
      this.#timer = undefined;
      if (!this.#waiting.size) return;
      for (const [queue, until] of this.#idle) if (until <= performance.now()) this.release(queue);
      this.#lookForLate();
    };
    // On a busy machine the answer may be here unread: sockets are read between this timer and the immediate.
    this.#timer = setTimeout(() => setImmediate(look), from - performance.now());
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
