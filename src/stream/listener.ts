import type { ServerResponse } from 'node:http';
import { type Dialect, EVENTS } from './dialect.ts';
import type { Feed, Follower } from './feed.ts';
import { encode, type Run } from './run.ts';

/** Events read from the log at a time. */
export const PAGE_EVENTS = 500;
/** A client that takes nothing for this long is let go; it can resume from where it was. */
const STALLED_AFTER_MS = 30_000;
/** A client that takes nothing for this long is not kept ready for. */
const SLOW_AFTER_MS = 1000;
/** As much is written at a time, so that a slow client costs little and is seen to take something. */
const SLICE_BYTES = 32_768;
const EMPTY = Buffer.alloc(0);

/**
 * One open response that follows a message. It keeps its place and, while the client takes them, the events it is about
 * to write. A client that does not keep up costs one slice: the rest is in the feed or the log, and is got again later.
 */
export class Listener implements Follower {
  readonly #feed: Feed;
  readonly #dialect: Dialect;
  readonly #response: ServerResponse;
  readonly #end = Promise.withResolvers<void>();
  #over = false;
  /** Waits for the client or for the log, not for news. */
  #busy = false;
  #idle: NodeJS.Timeout | undefined;
  /** Id of the last event taken up for writing. */
  #sent: number;
  #position: Run | undefined;
  #keepalive: Run | undefined;
  /** Got, and not taken up yet. */
  #unsent: readonly Run[] = [];
  /** What is left of a large event. */
  #rest: Uint8Array = EMPTY;
  #last = false;

  /** `after`: id of the last event the client has; 0 for none. */
  constructor(feed: Feed, response: ServerResponse, after: number, dialect: Dialect = EVENTS) {
    this.#dialect = dialect;
    this.#feed = feed;
    this.#response = response;
    this.#sent = after;
    this.#keepalive = feed.keepalive;
    const gone = () => this.#finish();
    response.once('close', gone);
    response.on('error', gone);
    // One that has closed already says so no more.
    if (response.destroyed) this.#finish();
  }

  /** Follows the message to its last event, or until the client or the broker goes. Throws StoreUnavailable. */
  run(first: readonly Run[] = []): Promise<void> {
    if (!this.#over) {
      const { opening, idleMs } = this.#dialect;
      this.#idle = setInterval(() => this.#keepOpen(), idleMs);
      this.#unsent = first;
      this.#rest = Buffer.concat([opening, this.#take()]);
      this.#feed.follow(this);
      this.wake();
    }
    return this.#end.promise;
  }

  /** Goes on as far as it can: there is news, or what it waited for is here. */
  wake(): void {
    try {
      while (!this.#over && !this.#busy && this.#step());
    } catch (error) {
      this.#finish(error);
    }
  }

  /** One step; false when there is nothing to do before the next news. */
  #step(): boolean {
    if (this.#response.writableNeedDrain) this.#awaitDrain();
    else if (this.#rest.length || this.#unsent.length) this.#write();
    else if (this.#last) {
      this.#response.end();
      this.#finish();
    } else if (this.#feed.closed) {
      this.#response.write(this.#dialect.farewell());
      this.#finish();
    } else {
      const runs = this.#feed.after(this.#sent);
      if (runs) return this.#got(runs);
      this.#readPage();
    }
    return true;
  }

  /** Takes what was got, or what is told in passing. False when that is nothing. */
  #got(runs: readonly Run[]): boolean {
    this.#unsent = runs.length ? runs : this.#passing();
    if (this.#unsent.length) return true;
    // It was retried after its last event had come here: whoever has not read that far comes back for the rest.
    if (this.#feed.ended) this.#finish();
    return false;
  }

  /** Gets the next page of the log; is over when the message was forgotten. */
  #readPage(): void {
    const { version } = this.#feed;
    this.#busy = true;
    this.#feed
      .read(this.#sent, PAGE_EVENTS)
      .then((page) => {
        this.#busy = false;
        if (!page) this.#finish();
        else if (this.#got(encode(page.events, page.after)) || version !== this.#feed.version) this.wake();
      })
      .catch((error: unknown) => this.#finish(error));
  }

  /** What is not stored, told once each. */
  #passing(): readonly Run[] {
    const runs: Run[] = [];
    const { position, keepalive } = this.#feed;
    if (position && position !== this.#position && this.#sent === this.#feed.queuedId) runs.push(position);
    if (keepalive && keepalive !== this.#keepalive) runs.push(keepalive);
    this.#position = position;
    this.#keepalive = keepalive;
    return runs;
  }

  /** Writes about a slice. */
  #write(): void {
    if (!this.#rest.length) this.#rest = this.#take();
    if (this.#rest.length) this.#response.write(this.#rest.subarray(0, SLICE_BYTES));
    this.#rest = this.#rest.length > SLICE_BYTES ? this.#rest.subarray(SLICE_BYTES) : EMPTY;
  }

  /** Takes up events for one slice, or one that is larger. */
  #take(): Uint8Array {
    let bytes = 0;
    let count = 0;
    let last: Run | undefined;
    for (const run of this.#unsent) {
      if (last?.ends || (last && bytes + run.bytes.length > SLICE_BYTES)) break;
      bytes += run.bytes.length;
      count += 1;
      last = run;
    }
    const taken = this.#unsent.slice(0, count);
    this.#unsent = last?.ends ? [] : this.#unsent.slice(count);
    if (last?.last) this.#sent = last.last;
    this.#last = last?.ends ?? false;
    return this.#rendered(taken);
  }

  #rendered(runs: readonly Run[]): Uint8Array {
    const { render } = this.#dialect;
    const rendered = render ? runs.flatMap((run) => [...run.frames()].map(render)) : runs.map(({ bytes }) => bytes);
    const [only = EMPTY, ...others] = rendered;
    return others.length ? Buffer.concat(rendered) : only;
  }

  #awaitDrain(): void {
    const response = this.#response;
    this.#busy = true;
    const slow = setTimeout(() => {
      this.#unsent = [];
    }, SLOW_AFTER_MS);
    const stalled = setTimeout(() => response.destroy(), STALLED_AFTER_MS);
    const done = () => {
      clearTimeout(slow);
      clearTimeout(stalled);
      response.removeListener('drain', done);
      response.removeListener('close', done);
      this.#busy = false;
      this.wake();
    };
    response.once('drain', done);
    response.once('close', done);
  }

  #keepOpen(): void {
    if (!this.#response.writableLength && !this.#rest.length) this.#response.write(this.#dialect.idle);
  }

  #finish(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#idle);
    this.#feed.unfollow(this);
    if (error === undefined) this.#end.resolve();
    else this.#end.reject(error);
  }
}
