/** How often it is looked whether something is late: a fraction of what is waited for. */
const LOOK_EVERY_MS = 250;

/** `late` is let go of with what it holds when it is dropped; `register.ts` tells why. */
export type Deadline = { readonly until: number; late: (() => void) | undefined };

/** What has to come within its time. One timer looks after all of it, and none while there is nothing. */
export class Deadlines {
  readonly #open = new Set<Deadline>();
  #timer: NodeJS.Timeout | undefined;

  /** Calls `late` after so many ms, or up to a quarter of a second later, unless what is answered is dropped before. */
  add(withinMs: number, late: () => void): Deadline {
    const open = { until: performance.now() + withinMs, late };
    this.#open.add(open);
    this.#timer ??= this.#lookLater();
    return open;
  }

  drop(open: Deadline): void {
    open.late = undefined;
    this.#open.delete(open);
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
    for (const open of late) if (this.#open.delete(open)) open.late?.();
  }
}
