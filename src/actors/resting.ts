const LOOK_EVERY_MS = 500;
/**
 * So long an idle actor is kept: who sends the next message within that time finds it, and making one costs 15 of the
 * 280 µs of a message.
 */
const REST_MS = 2000;

/** Queues whose actors are idle, until they have been so for long enough to go. One timer for all of them. */
export class Resting {
  /** No more rest at once: those that have for longest go first. Each takes 4 kB. */
  #most: number;
  readonly #go: (queue: string) => void;
  /** Since when each has been idle, in `performance.now()` time; the longest first. */
  readonly #since = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  /** `go`: told which is to go. */
  constructor(most: number, go: (queue: string) => void) {
    this.#most = most;
    this.#go = go;
  }

  /** It is idle from now on. */
  add(queue: string): void {
    this.#since.set(queue, performance.now());
    if (this.#since.size > this.#most) this.#goLongest();
    else this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /** It has work again. */
  remove(queue: string): void {
    this.#since.delete(queue);
  }

  /** Nobody rests any more. */
  end(): void {
    this.#most = 0;
    while (this.#since.size) this.#goLongest();
    this.#stopLooking();
  }

  #look(): void {
    const before = performance.now() - REST_MS;
    for (const since of this.#since.values()) {
      if (since > before) break;
      this.#goLongest();
    }
    if (!this.#since.size) this.#stopLooking();
  }

  #goLongest(): void {
    for (const queue of this.#since.keys()) {
      this.#since.delete(queue);
      this.#go(queue);
      return;
    }
  }

  #stopLooking(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
