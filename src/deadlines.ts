/** How often it is looked whether something is late: a fraction of what is waited for. */
const LOOK_EVERY_MS = 250;

/** What has to come by a time. What it holds is let go of with it: `register.ts` tells why. */
export class Deadline {
  /** In `performance.now()` time. */
  readonly until: number;
  #late: (() => void) | undefined;

  constructor(until: number, late: () => void) {
    this.until = until;
    this.#late = late;
  }

  /** It has come, or is late. Answers who is to be told if it is late, once. */
  take(): (() => void) | undefined {
    const late = this.#late;
    this.#late = undefined;
    return late;
  }
}

/** What has to come within its time. One timer looks after all of it, and none while there is nothing. */
export class Deadlines {
  readonly #open = new Set<Deadline>();
  #timer: NodeJS.Timeout | undefined;

  /** Calls `late` after so many ms, or up to a quarter of a second later, unless what is answered is dropped before. */
  add(withinMs: number, late: () => void): Deadline {
    const deadline = new Deadline(performance.now() + withinMs, late);
    this.#open.add(deadline);
    this.#timer ??= this.#lookLater();
    return deadline;
  }

  drop(deadline: Deadline): void {
    deadline.take();
    this.#open.delete(deadline);
  }

  #lookLater(): NodeJS.Timeout {
    return setTimeout(() => this.#look(), LOOK_EVERY_MS).unref();
  }

  #look(): void {
    const now = performance.now();
    const late = [...this.#open].filter(({ until }) => until <= now);
    // On a busy machine an answer may be here unread: sockets are read between this timer and the immediate.
    if (late.length) setImmediate(() => this.#tell(late));
    this.#timer = this.#open.size ? this.#lookLater() : undefined;
  }

  #tell(late: readonly Deadline[]): void {
    for (const deadline of late) {
      this.#open.delete(deadline);
      deadline.take()?.();
    }
  }
}
