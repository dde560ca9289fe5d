import type { Logger } from 'pino';
import type { Store, Sweep } from '../store/store.ts';

const EVERY_MS = 500;

/**
 * Finds queues with work that nobody here was told of: after a start, a crash of another broker, a lost hint.
 * Takes no more than this broker has use for, and looks again as soon as it has use for more.
 */
export class Sweeper {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #hint: (queue: string) => void;
  /** How many queues more this broker has use for. */
  readonly #room: () => number;
  /** How many it has use for when it has nothing to do. */
  readonly #capacity: number;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<Sweep> | undefined;
  #more = false;
  #stopped = false;
  #waiting = 0;

  constructor(parts: {
    store: Store;
    log: Logger;
    hint: (queue: string) => void;
    capacity: number;
    room: () => number;
  }) {
    this.#store = parts.store;
    this.#log = parts.log;
    this.#hint = parts.hint;
    this.#capacity = parts.capacity;
    this.#room = parts.room;
  }

  /** Looks now, and twice a second from now on. */
  start(): void {
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
    this.#look();
  }

  /** Messages waiting in the whole store: as of the last look, and what this broker has accepted since. */
  get waiting(): number {
    return this.#waiting;
  }

  /** One more message waits. */
  accepted(): void {
    this.#waiting += 1;
  }

  /** Looks now, or takes part in the look that is under way. Throws StoreUnavailable. */
  async sweep(): Promise<Sweep> {
    this.#sweeping ??= this.#once().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  /** There is more room: looks at once if the last look left some behind and half of what there is can be filled. */
  roomMade(): void {
    if (this.#more && this.#room() >= this.#capacity / 2) this.#look();
  }

  /** Hints no more; counts can still be asked for. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #once(): Promise<Sweep> {
    const limit = this.#stopped ? 0 : Math.max(0, this.#room());
    this.#more = false;
    const sweep = await this.#store.sweep(limit);
    this.#more = sweep.due.length >= limit;
    this.#waiting = sweep.counts.waiting;
    if (!sweep.complete) this.#log.warn('a part of the store did not answer: its queues are not looked at for now');
    if (!this.#stopped) for (const queue of sweep.due) this.#hint(queue);
    return sweep;
  }

  #look(): void {
    this.sweep().catch((error: unknown) => this.#log.warn({ err: error }, 'queues with work could not be looked for'));
  }
}
