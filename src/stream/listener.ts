import type { ServerResponse } from 'node:http';
import type { LogPage } from '../store/store.ts';
import { type Dialect, EVENTS } from './dialect.ts';
import type { Feed } from './feed.ts';
import { encode, type Frame } from './frame.ts';

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
export class Listener {
  readonly #feed: Feed;
  readonly #dialect: Dialect;
  readonly #response: ServerResponse;
  readonly #gone = new AbortController();
  /** Id of the last event taken up for writing. */
  #sent: number;
  #position: Frame | undefined;
  #keepalive: Frame | undefined;
  /** Got, and not taken up yet. */
  #unsent: readonly Frame[] = [];
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
    response.once('close', () => this.#gone.abort());
    response.on('error', () => this.#gone.abort());
    // One that has closed already says so no more.
    if (response.destroyed) this.#gone.abort();
  }

  /** Follows the message to its last event, or until the client or the broker goes. Throws StoreUnavailable. */
  async run(first: readonly Frame[] = []): Promise<void> {
    const { opening, idleMs } = this.#dialect;
    const idle = setInterval(() => this.#idle(), idleMs);
    try {
      if (opening.length) this.#response.write(opening);
      this.#unsent = first;
      while (!this.#gone.signal.aborted) {
        if (this.#response.writableNeedDrain) await this.#drained();
        else if (this.#rest.length || this.#unsent.length) this.#write();
        else if (this.#last) {
          this.#response.end();
          return;
        } else if (this.#feed.closed) {
          this.#response.write(this.#dialect.farewell());
          return;
        } else if (!(await this.#get())) return;
      }
    } finally {
      clearInterval(idle);
    }
  }

  /** Gets what comes next, or waits for news of it. False when the message was forgotten, or its log goes on in another feed. */
  async #get(): Promise<boolean> {
    const { version } = this.#feed;
    const frames = this.#feed.after(this.#sent) ?? (await this.#page());
    if (!frames) return false;
    this.#unsent = frames.length ? frames : this.#passing();
    if (this.#unsent.length) return true;
    // It was retried after its last event had come here: whoever has not read that far comes back for the rest.
    if (this.#feed.ended) return false;
    await this.#feed.news(version, this.#gone.signal);
    return true;
  }

  /** The next page of the log. Undefined when the message was forgotten. */
  async #page(): Promise<readonly Frame[] | undefined> {
    const page = await this.#feed.read(this.#sent, PAGE_EVENTS);
    return page && encodePage(page);
  }

  /** What is not stored, told once each. */
  #passing(): readonly Frame[] {
    const frames: Frame[] = [];
    const { position, keepalive } = this.#feed;
    if (position && position !== this.#position && this.#sent === this.#feed.queuedId) frames.push(position);
    if (keepalive && keepalive !== this.#keepalive) frames.push(keepalive);
    this.#position = position;
    this.#keepalive = keepalive;
    return frames;
  }

  /** Writes about a slice. */
  #write(): void {
    if (!this.#rest.length) this.#rest = this.#take();
    if (this.#rest.length) this.#response.write(this.#rest.subarray(0, SLICE_BYTES));
    this.#rest = this.#rest.subarray(SLICE_BYTES);
  }

  /** Takes up events for one slice, or one that is larger. */
  #take(): Uint8Array {
    let bytes = 0;
    let count = 0;
    const rendered: Uint8Array[] = [];
    for (const frame of this.#unsent) {
      if (count && bytes + frame.bytes.length > SLICE_BYTES) break;
      rendered.push(this.#dialect.render(frame));
      bytes += frame.bytes.length;
      count += 1;
      if (frame.last) break;
    }
    const taken = this.#unsent.slice(0, count);
    this.#unsent = this.#unsent.slice(count);
    const last = taken.at(-1);
    if (last?.id) this.#sent = last.id;
    this.#last = last?.last ?? false;
    if (this.#last) this.#unsent = [];
    const [only = EMPTY, ...others] = rendered;
    return others.length ? Buffer.concat(rendered) : only;
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const response = this.#response;
      const { signal } = this.#gone;
      const slow = setTimeout(() => {
        this.#unsent = [];
      }, SLOW_AFTER_MS);
      const stalled = setTimeout(() => response.destroy(), STALLED_AFTER_MS);
      const done = () => {
        clearTimeout(slow);
        clearTimeout(stalled);
        response.removeListener('drain', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      response.once('drain', done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }

  #idle(): void {
    if (!this.#response.writableLength && !this.#rest.length) this.#response.write(this.#dialect.idle);
  }
}

/** A page of the log, as frames. */
export function encodePage({ events, after }: LogPage): readonly Frame[] {
  return events.map((event, index) => encode(event, after + 1 + index));
}
