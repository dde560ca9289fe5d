import type { ServerResponse } from 'node:http';
import type { LogPage } from '../store/store.ts';
import type { Feed } from './feed.ts';
import { COMMENT, encode, type Frame, OPENING } from './frame.ts';

/** Events read from the log at a time. */
export const PAGE_EVENTS = 500;
const COMMENT_EVERY_MS = 15_000;
/** A client that takes nothing for this long is let go; it can resume from where it was. */
const STALLED_AFTER_MS = 30_000;
/** Large writes go in pieces of this size, so that a slow client is seen to take something. */
const SLICE_BYTES = 65_536;

/** One open response that follows a message. It keeps its place and no events: what it has not taken is in the feed or the log. */
export class Listener {
  readonly #feed: Feed;
  readonly #response: ServerResponse;
  readonly #gone = new AbortController();
  /** Id of the last event written. */
  #sent: number;
  #position: Frame | undefined;
  #keepalive: Frame | undefined;

  /** `after`: id of the last event the client has; 0 for none. */
  constructor(feed: Feed, response: ServerResponse, after: number) {
    this.#feed = feed;
    this.#response = response;
    this.#sent = after;
    this.#keepalive = feed.keepalive;
    response.once('close', () => this.#gone.abort());
    response.on('error', () => this.#gone.abort());
  }

  /** Follows the message to its last event, or until the client or the broker goes. Throws StoreUnavailable. */
  async run(first: readonly Frame[] = []): Promise<void> {
    const comments = setInterval(() => this.#comment(), COMMENT_EVERY_MS);
    try {
      if ((await this.#write([{ id: 0, last: false, bytes: OPENING }, ...first])) === 'end') return;
      while (!this.#gone.signal.aborted && !this.#feed.closed) {
        const { version } = this.#feed;
        const live = this.#feed.after(this.#sent);
        const frames = live ?? (await this.#page());
        if (!frames) return;
        if (frames.length) {
          if ((await this.#write(frames)) === 'end') return;
        } else if (!(await this.#passing())) await this.#feed.news(version, this.#gone.signal);
      }
    } finally {
      clearInterval(comments);
    }
  }

  /** The next page of the log. Undefined when the message was forgotten. */
  async #page(): Promise<readonly Frame[] | undefined> {
    const page = await this.#feed.read(this.#sent, PAGE_EVENTS);
    return page && encodePage(page, this.#sent);
  }

  /** Tells what is not stored, once each. False when there was nothing. */
  async #passing(): Promise<boolean> {
    const frames: Frame[] = [];
    const { position, keepalive } = this.#feed;
    if (position && position !== this.#position && this.#sent === 1) frames.push(position);
    if (keepalive && keepalive !== this.#keepalive) frames.push(keepalive);
    this.#position = position;
    this.#keepalive = keepalive;
    if (frames.length) await this.#write(frames);
    return frames.length > 0;
  }

  async #write(frames: readonly Frame[]): Promise<'on' | 'end'> {
    const [only] = frames;
    const bytes = frames.length === 1 && only ? only.bytes : Buffer.concat(frames.map((frame) => frame.bytes));
    const last = frames.at(-1);
    if (last?.id) this.#sent = last.id;
    for (let from = 0; from < bytes.length; from += SLICE_BYTES) {
      if (!this.#response.write(bytes.subarray(from, from + SLICE_BYTES))) await this.#drained();
    }
    if (!last?.last) return 'on';
    this.#response.end();
    return 'end';
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const response = this.#response;
      const { signal } = this.#gone;
      const stalled = setTimeout(() => response.destroy(), STALLED_AFTER_MS);
      const done = () => {
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

  #comment(): void {
    if (!this.#response.writableLength) this.#response.write(COMMENT);
  }
}

/** A page of the log that begins after event `after`, as frames. */
export function encodePage(page: LogPage, after: number): readonly Frame[] {
  return page.events.map((event, index) => encode(event, after + 1 + index));
}
