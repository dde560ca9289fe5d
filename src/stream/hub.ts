import type { Change, Store } from '../store/store.ts';
import { Feed } from './feed.ts';

type Watched = { readonly feeds: Map<string, Feed>; readonly watching: Promise<() => void> };
type Open = { readonly feed: Feed; listeners: number };

/** All feeds of this broker. A queue is watched in the store while someone here listens to one of its messages. */
export class Hub {
  readonly #store: Store;
  readonly #open = new Map<string, Open>();
  readonly #queues = new Map<string, Watched>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** How many messages are listened to here. */
  get size(): number {
    return this.#open.size;
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

  /** Passes a sign of life of the worker to who listens to this message here. */
  keepalive(queue: string, messageId: string, data: string): void {
    this.#open.get(keyOf(queue, messageId))?.feed.alive(data);
  }

  /** Ends every feed: the broker is stopping. */
  close(): void {
    for (const { feed } of [...this.#open.values()]) feed.close();
  }

  #watch(feed: Feed): Watched {
    let watched = this.#queues.get(feed.queue);
    if (!watched) {
      const feeds = new Map<string, Feed>();
      const watching = this.#store.watch(feed.queue, (change: Change) => {
        feeds.get(change.messageId)?.change(change);
        if (change.moved) for (const other of feeds.values()) other.move();
      });
      watched = { feeds, watching };
      this.#queues.set(feed.queue, watched);
    }
    watched.feeds.set(feed.messageId, feed);
    return watched;
  }
}

function keyOf(queue: string, messageId: string): string {
  return `${messageId} ${queue}`;
}
