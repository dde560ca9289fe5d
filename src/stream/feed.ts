import { queuedEvent } from '../store/events.ts';
import type { Change, LogEvent, LogPage, Store } from '../store/store.ts';
import { encode, inPassing, type Run } from './run.ts';

/** A feed keeps at least this much of the newest events; who is further behind reads the log. */
const MAX_EVENTS = 1024;
const MAX_BYTES = 1_000_000;

/** Is told whenever there is news. */
export type Follower = { wake(): void };

/**
 * The live end of one message's log on this broker, shared by all who listen to it here.
 * It holds the newest events only, and no listener's buffer: each listener keeps nothing but its place.
 */
export class Feed {
  readonly queue: string;
  readonly messageId: string;
  readonly #store: Store;
  readonly #runs: Run[] = [];
  readonly #followers = new Set<Follower>();
  /** What `#runs` hold. */
  #events = 0;
  #bytes = 0;
  /** Id of the newest event in `#runs` or before them; undefined until the log was read or an event came. */
  #last: number | undefined;
  /** The newest id heard of, which may not have been read yet. */
  #heard = 0;
  #position = 0;
  #queuedId = 0;
  #placed: Run | undefined;
  #keepalive: Run | undefined;
  #changes = 0;
  #reading = false;
  #version = 0;
  #waking = false;
  #ended = false;
  #closed = false;

  constructor(store: Store, queue: string, messageId: string) {
    this.#store = store;
    this.queue = queue;
    this.messageId = messageId;
  }

  /** The events after event `id`; undefined when they have to be read from the log. */
  after(id: number): readonly Run[] | undefined {
    if (this.#last === undefined || id > this.#last || this.#last - id > this.#events) return undefined;
    let at = this.#runs.length;
    while ((this.#runs[at - 1]?.last ?? 0) > id) at -= 1;
    const [first, ...others] = this.#runs.slice(at);
    return first ? [first.after(id), ...others] : [];
  }

  /** The newest place in the queue, as an event without an id; undefined unless it changed since the message was accepted. */
  get position(): Run | undefined {
    return this.#placed;
  }

  /** Id of the event that says it was put into its queue; 0 when it is not known to wait. */
  get queuedId(): number {
    return this.#queuedId;
  }

  /** The message waits in its queue, as far as is known. */
  get mayWait(): boolean {
    return this.#last === undefined || this.#position > 0;
  }

  /** The newest sign of life of the worker. */
  get keepalive(): Run | undefined {
    return this.#keepalive;
  }

  /** The message's last event is here. Should it be put into its queue again, that is another log, and another feed. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The broker is stopping: listeners leave, to come back to another one. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Grows with all news: who has looked at one version waits for the next. */
  get version(): number {
    return this.#version;
  }

  /** Reads a page of the log for one listener, which also tells the feed where the log is. */
  async read(after: number, limit: number): Promise<LogPage | undefined> {
    const page = await this.#store.read(this.queue, this.messageId, after, limit);
    if (page && this.#last === undefined) {
      const [first] = page.events;
      const place = queuedEvent(this.messageId, page.position);
      // The place it was accepted at is told by the first event; one that is another by now, in passing.
      if (page.position && first?.data !== place.data) this.#placed = inPassing(place);
      this.#begin(page.last, page.position);
    }
    return page;
  }

  /** The message was just accepted: its log ends at its first event. */
  accepted(position: number): void {
    if (this.#last === undefined) this.#begin(1, position);
  }

  /** Wakes a follower at all news from now on: once for all that comes at the same time. */
  follow(follower: Follower): void {
    this.#followers.add(follower);
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  /** Resolves once there is news since `version`, or when `signal` aborts. */
  news(version: number, signal: AbortSignal): Promise<void> {
    if (version !== this.#version || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.unfollow(follower);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const follower = { wake };
      this.follow(follower);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  /** Takes in what the store told of this message. */
  change(change: Change): void {
    if (this.#ended) return;
    if (change.keepalive !== undefined) {
      this.#keepalive = inPassing({ name: '', data: change.keepalive });
      this.#wake();
    }
    this.#heard = Math.max(this.#heard, change.last);
    this.#changes += 1;
    if (change.events?.length) {
      const before = change.last - change.events.length;
      this.#last ??= before;
      if (before === this.#last) this.#push(change.events, before);
    }
    this.#catchUp();
  }

  /** The queue has moved: the message's place among the waiting now, 0 when it does not wait. */
  place(position: number): void {
    if (!position || position === this.#position) return;
    this.#position = position;
    this.#placed = inPassing(queuedEvent(this.messageId, position));
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  #begin(last: number, position: number): void {
    this.#last = last;
    this.#position = position;
    if (position) this.#queuedId = last;
    this.#catchUp();
  }

  /** `after`: id of the event before them. Where the log has a gap there, it was begun anew, and what is kept here is void. */
  #push(events: readonly LogEvent[], after: number): void {
    if (after !== this.#last) this.#drop();
    for (const run of encode(events, after)) {
      this.#runs.push(run);
      this.#events += run.count;
      this.#bytes += run.bytes.length;
      this.#ended ||= run.ends;
    }
    this.#last = after + events.length;
    this.#position = 0;
    if (this.#events > 2 * MAX_EVENTS || this.#bytes > 2 * MAX_BYTES) this.#trim();
    this.#wake();
  }

  #drop(): void {
    this.#runs.length = 0;
    this.#events = 0;
    this.#bytes = 0;
  }

  #trim(): void {
    let dropped = 0;
    for (const { count, bytes } of this.#runs) {
      if (this.#events - count < MAX_EVENTS && this.#bytes - bytes.length < MAX_BYTES) break;
      this.#events -= count;
      this.#bytes -= bytes.length;
      dropped += 1;
    }
    this.#runs.splice(0, dropped);
  }

  /** Reads what another broker wrote, one read at a time for all listeners. */
  #catchUp(): void {
    if (this.#closed || this.#ended || this.#reading || this.#last === undefined) return;
    if (this.#heard <= this.#last) return;
    this.#reading = true;
    const from = this.#last;
    const changes = this.#changes;
    this.#store
      .read(this.queue, this.messageId, from, MAX_EVENTS)
      .then((page) => {
        if (!page) return this.close();
        // What was heard may be a guess ("read again"): unless there is fresher news, what the log says stands.
        if (this.#changes === changes) this.#heard = page.last;
        if (this.#last === from && page.events.length) this.#push(page.events, page.after);
      })
      .catch(() => {
        // The listeners find out by themselves: their own read fails, and they end with a way to resume.
        this.#last = undefined;
        this.#drop();
        this.#wake();
      })
      .finally(() => {
        this.#reading = false;
        this.#catchUp();
      });
  }

  #wake(): void {
    this.#version += 1;
    if (this.#waking || !this.#followers.size) return;
    this.#waking = true;
    queueMicrotask(() => {
      this.#waking = false;
      for (const follower of this.#followers) follower.wake();
    });
  }
}
