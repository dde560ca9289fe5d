import type { Change, Store } from '../store/store.ts';
import { Feed } from './feed.ts';

type Open = { readonly feed: Feed; listeners: number };

/** A queue some of whose messages are listened to here: one subscription, and one reading of its places at a time. */
type Watched = {
  readonly feeds: Map<string, Feed>;
  readonly watching: Promise<() => void>;
  placing: boolean;
  moved: boolean;
};

/** All feeds of this broker. A queue is watched in the store while someone here listens to one of its messages. */
export class Hub {
  readonly #store: Store;
  readonly #open = new Map<string, Open>();
  readonly #queues = new Map<string, Watched>();
  #listeners = 0;
  #streams = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Who has joined and not left yet. */
  get listeners(): number {
    return this.#listeners;
  }

  /** How many clients read a message's events. */
  get streams(): number {
    return this.#streams;
  }

  /** Counts a client that reads events, until it has left. */
  async attend(reading: Promise<void>): Promise<void> {
    this.#streams += 1;
    try {
      await reading;
    } finally {
      this.#streams -= 1;
    }
  }

  /**
   * Joins the feed of a message. Once this resolves no event can be missed: what is not in the log yet will be news.
   * Every join is followed by one `leave`. Throws StoreUnavailable, and has then left already.
   */
  async join(queue: string, messageId: string): Promise<Feed> {
    const key = keyOf(queue, messageId);
    let open = this.#open.get(key);
    if (!open || open.feed.ended) {
      open = { feed: new Feed(this.#store, queue, messageId), listeners: 0 };
      this.#open.set(key, open);
    }
    open.listeners += 1;
    this.#listeners += 1;
    const { feed } = open;
    try {
      await this.#watch(feed).watching;
      return feed;
    } catch (error) {
      this.leave(feed);
      throw error;
    }
  }

  leave(feed: Feed): void {
    this.#listeners -= 1;
    const key = keyOf(feed.queue, feed.messageId);
    const open = this.#open.get(key);
    // A feed that had ended may have given its place to a newer one; whoever still reads it needs nothing from here.
    if (!open || open.feed !== feed) return;
    open.listeners -= 1;
    if (open.listeners > 0) return;
    this.#open.delete(key);
    const watched = this.#queues.get(feed.queue);
    watched?.feeds.delete(feed.messageId);
    if (!watched || watched.feeds.size) return;
    this.#queues.delete(feed.queue);
    watched.watching.then(
      (stop) => stop(),
      () => {},
    );
  }

  /** Ends every feed: the broker is stopping. */
  close(): void {
    for (const { feed } of [...this.#open.values()]) feed.close();
  }

  #watch(feed: Feed): Watched {
    let watched = this.#queues.get(feed.queue);
    if (!watched) {
      const made: Watched = {
        feeds: new Map(),
        watching: this.#store.watch(feed.queue, (change) => this.#heard(feed.queue, made, change)),
        placing: false,
        moved: false,
      };
      watched = made;
      this.#queues.set(feed.queue, watched);
    }
    watched.feeds.set(feed.messageId, feed);
    return watched;
  }

  #heard(queue: string, watched: Watched, change: Change): void {
    const { feeds } = watched;
    // Without a message the news is of all of them: some may have been missed.
    for (const feed of change.messageId ? [feeds.get(change.messageId)] : feeds.values()) feed?.change(change);
    if (!change.moved) return;
    watched.moved = true;
    if (!watched.placing) void this.#place(queue, watched);
  }

  /** Tells each feed its message's place: one question for all of them, asked again if the queue moves meanwhile. */
  async #place(queue: string, watched: Watched): Promise<void> {
    watched.placing = true;
    try {
      while (watched.moved && watched.feeds.size) {
        watched.moved = false;
        const { waiting } = await this.#store.queue(queue);
        for (const [index, { id }] of waiting.entries()) watched.feeds.get(id)?.place(index + 1);
      }
    } catch {
      // Places are told in passing; the next move tells them again.
    } finally {
      watched.placing = false;
    }
  }
}

function keyOf(queue: string, messageId: string): string {
  return `${messageId} ${queue}`;
}
