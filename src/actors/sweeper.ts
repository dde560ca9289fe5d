import type { Logger } from 'pino';
import type { Destination } from '../../machines/events.ts';
import { causeOf } from '../errors.ts';
import type { Store, Sweep } from '../store/store.ts';

const EVERY_MS = 500;
/**
 * While nothing waits and nothing is worked on anywhere, every so many times: what comes then is told of here, or seen within
 * 1.5 s. Less often than each two seconds, a Redis would not be known any more (`KNOWN_FOR_MS` in its `replication.ts`).
 */
const IDLE_EVERY = 3;

/** Whether the store answers: all of it, a part, or nothing, as nobody knows better before the first look. */
export type StoreState = 'whole' | 'in part' | 'away';

/** `at`: when it began, in ms since the process started. */
type Look = Sweep & { readonly at: number };

/**
 * Finds queues with work, and callbacks due, that nobody here was told of: after a start, a crash of another broker, a lost hint.
 * Takes no more than this broker has use for, and looks again as soon as it has use for more.
 */
export class Sweeper {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #hint: (queue: string) => void;
  readonly #deliver: (destination: Destination) => void;
  /** How many queues more this broker has use for. */
  readonly #room: () => number;
  /** How many it has use for when it has nothing to do. */
  readonly #capacity: number;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<Sweep> | undefined;
  #more = false;
  #draining = false;
  #waiting = 0;
  /** Since the present look began, which may have missed them. */
  #acceptedMeanwhile = 0;
  #state: StoreState = 'away';
  #looked = false;
  #since = Date.now();
  #last: Look | undefined;

  constructor(parts: {
    store: Store;
    log: Logger;
    hint: (queue: string) => void;
    deliver: (destination: Destination) => void;
    capacity: number;
    room: () => number;
  }) {
    this.#store = parts.store;
    this.#log = parts.log;
    this.#hint = parts.hint;
    this.#deliver = parts.deliver;
    this.#capacity = parts.capacity;
    this.#room = parts.room;
  }

  /** Looks now, and from now on twice a second, or less often while there is nothing anywhere. */
  start(): void {
    let times = 0;
    this.#timer = setInterval(() => {
      times += 1;
      if (times % IDLE_EVERY === 0 || !this.#isIdle()) this.#look();
    }, EVERY_MS);
    this.#look();
  }

  /** Messages waiting in the whole store: as of the last look, and what this broker has accepted since that began. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether the store answers. */
  get state(): StoreState {
    return this.#state;
  }

  /** Since when it has been in that state, in ms since 1970. */
  get since(): number {
    return this.#since;
  }

  /** Since when the store, or a part of it, has not answered, in ms since 1970; undefined while all of it does. */
  get illSince(): number | undefined {
    return this.#state === 'whole' ? undefined : this.#since;
  }

  /** What the last look found; undefined while the store does not answer. */
  get last(): Look | undefined {
    return this.#state === 'away' ? undefined : this.#last;
  }

  /** One more message waits. */
  accepted(): void {
    this.#waiting += 1;
    this.#acceptedMeanwhile += 1;
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

  /** Hints no more, and goes on looking: how the store is, and what waits there, is told to the end. */
  drain(): void {
    this.#draining = true;
  }

  /** Looks no more by itself. */
  stop(): void {
    clearInterval(this.#timer);
  }

  async #once(): Promise<Sweep> {
    const limit = this.#draining ? 0 : Math.max(0, this.#room());
    this.#more = false;
    this.#acceptedMeanwhile = 0;
    const at = performance.now();
    const sweep = await this.#store.sweep(limit).catch((error: unknown) => {
      this.#note('away', error);
      throw error;
    });
    this.#note(sweep.complete ? 'whole' : 'in part');
    this.#last = { ...sweep, at };
    this.#waiting = sweep.counts.waiting + this.#acceptedMeanwhile;
    if (this.#draining) return sweep;
    this.#more = sweep.more;
    for (const queue of sweep.due) this.#hint(queue);
    for (const destination of sweep.destinations) this.#deliver(destination);
    return sweep;
  }

  /** One line when it changes: during an outage nobody needs two in a second. */
  #note(state: StoreState, error?: unknown): void {
    const isFirst = !this.#looked;
    this.#looked = true;
    const lasted = { for_ms: Date.now() - this.#since };
    if (state !== this.#state) this.#since = Date.now();
    else if (!isFirst) return;
    this.#state = state;
    if (state === 'whole') {
      if (!isFirst) this.#log.info(lasted, 'the store answers again');
    } else if (state === 'in part')
      this.#log.warn('a part of the store does not answer, or its replica does not keep up: its queues stand still');
    else this.#log.warn({ reason: causeOf(error) }, 'the store does not answer, or cannot be written');
  }

  #isIdle(): boolean {
    if (this.#state !== 'whole' || !this.#last || this.#acceptedMeanwhile) return false;
    const { activeQueues, callbacks } = this.#last.counts;
    return activeQueues === 0 && callbacks === 0;
  }

  #look(): void {
    // `#note` has told.
    this.sweep().catch(() => {});
  }
}
