import { Register } from '../register.ts';
import type { Change, Store } from '../store/store.ts';
import { Feed } from './feed.ts';

type Open = { readonly feed: Feed; listeners: number };

/** A queue some of whose messages are listened to here: one subscription, and one reading of its places at a time. */
type Watched = {
  /** By message. */
  readonly open: Map<string, Open>;
  readonly watching: Promise<() => void>;
  placing: boolean;
  moved: boolean;
};

/** All feeds of this broker. A queue is watched in the store while someone here listens to one of its messages. */
export class Hub {
  readonly #store: Store;
  readonly #queues = new Register<string, Watched>();
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
    const watched = this.#queues.get(queue) ?? this.#watch(queue);
    let open = watched.open.get(messageId);
    if (!open || open.feed.ended) {
      open = { feed: new Feed(this.#store, queue, messageId), listeners: 0 };
      watched.open.set(messageId, open);
    }
    open.listeners += 1;
    this.#listeners += 1;
    const { feed } = open;
    try {
      await watched.watching;
      return feed;
    } catch (error) {
      this.leave(feed);
      throw error;
    }
  }

  leave(feed: Feed): void {
    this.#listeners -= 1;
    const watched = this.#queues.get(feed.queue);
    const open = watched?.open.get(feed.messageId);
    // A feed that had ended may have given its place to a newer one; whoever still reads it needs nothing from here.
    if (!watched || open?.feed !== feed) return;
    open.listeners -= 1;
    if (open.listeners > 0) return;
    watched.open.delete(feed.messageId);
    if (watched.open.size) return;
    this.#queues.delete(feed.queue);
    watched.watching.then(
      (stop) => stop(),
      () => {},
    );
  }

  /** Ends every feed: the broker is stopping. */
  close(): void {
    for (const { open } of this.#queues.values()) for (const { feed } of open.values()) feed.close();
  }

  #watch(queue: string): Watched {
    const watched: Watched = {
      open: new Map(),
      watching: this.#store.watch(queue, (change) => this.#heard(queue, watched, change)),
      placing: false,
      moved: false,
    };
    this.#queues.set(queue, watched);
    return watched;
  }

  #heard(queue: string, watched: Watched, change: Change): void {
    // Without a message the news is of all of them: some may have been missed.
    if (change.messageId) watched.open.get(change.messageId)?.feed.change(change);
    else for (const { feed } of watched.open.values()) feed.change(change);
    if (!change.moved || !someWaits(watched)) return;
    watched.moved = true;
    if (!watched.placing) void this.#place(queue, watched);
  }

  /** Tells each feed its message's place: one question for all of them, asked again if the queue moves meanwhile. */
  async #place(queue: string, watched: Watched): Promise<void> {
    watched.placing = true;
    try {
      while (watched.moved && watched.open.size) {
        watched.moved = false;
        const { waiting } = await this.#store.queue(queue);
        for (const [index, { id }] of waiting.entries()) watched.open.get(id)?.feed.place(index + 1);
      }
    } catch {
      // Places are told in passing; the next move tells them again.
    } finally {
      watched.placing = false;
    }
  }
}

/** Whether a place in the queue concerns anybody here: that of a message that is worked on has been told. */
function someWaits({ open }: Watched): boolean {
  for (const { feed } of open.values()) if (feed.mayWait) return true;
  return false;
}
