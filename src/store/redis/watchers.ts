import { type CancelledClaim, type Change, READ_AGAIN } from '../store.ts';
import type { Connection } from './connection.ts';
import { brokerChannel, channelOf } from './keys.ts';
import { integer, list, text } from './reply.ts';

/** A connection that only listens would not notice that the other end is gone, unless it asks. */
const ASK_EVERY_MS = 15_000;

type Watched = { readonly callbacks: Set<(change: Change) => void>; readonly subscribed: Promise<void> };

/** Who watches which queue here, one subscription for each queue whatever the number of its watchers, and what this broker is told itself. */
export class Watchers {
  readonly #connection: Connection;
  readonly #brokerId: string;
  readonly #watched = new Map<string, Watched>();
  readonly #queues = new Map<string, string>();
  readonly #asking: NodeJS.Timeout;
  #onCancelled: (claim: CancelledClaim) => void = () => {};
  #ready = false;

  constructor(connection: Connection, brokerId: string) {
    this.#connection = connection;
    this.#brokerId = brokerId;
    const { client } = connection;
    client.on('smessage', (channel: string, message: string) => this.#heard(channel, message));
    for (const event of ['ready', 'subscribersReady']) {
      client.on(event, () => {
        // Without it claims that were cancelled are still found, when they are next renewed.
        this.#subscribe(brokerChannel(brokerId)).catch(() => {});
        if (this.#ready) void this.#resubscribe();
        this.#ready = true;
      });
    }
    this.#asking = setInterval(() => {
      connection.call((listener) => listener.ping()).catch(() => {});
    }, ASK_EVERY_MS);
    this.#asking.unref();
  }

  /** Resolves once subscribed. Throws StoreUnavailable. */
  async add(queue: string, onChange: (change: Change) => void): Promise<() => void> {
    const watched = this.#watched.get(queue) ?? this.#watch(queue);
    // The same function may watch twice.
    const callback = (change: Change) => onChange(change);
    watched.callbacks.add(callback);
    const stop = () => {
      watched.callbacks.delete(callback);
      if (!watched.callbacks.size) this.#forget(queue, watched);
    };
    try {
      await watched.subscribed;
    } catch (error) {
      stop();
      throw error;
    }
    return stop;
  }

  /** Tells what this broker did itself. */
  tell(queue: string, change: Change): void {
    const watched = this.#watched.get(queue);
    if (watched) for (const callback of [...watched.callbacks]) callback(change);
  }

  onCancelled(callback: (claim: CancelledClaim) => void): void {
    this.#onCancelled = callback;
  }

  /** The message of a claim of this broker was cancelled. */
  cancelled(claim: CancelledClaim): void {
    this.#onCancelled(claim);
  }

  close(): void {
    clearInterval(this.#asking);
    this.#watched.clear();
    this.#queues.clear();
  }

  #watch(queue: string): Watched {
    const channel = channelOf(queue);
    const watched: Watched = { callbacks: new Set(), subscribed: this.#subscribe(channel) };
    watched.subscribed.catch(() => {
      // Whoever comes next tries anew.
      if (this.#watched.get(queue) === watched) this.#watched.delete(queue);
    });
    this.#watched.set(queue, watched);
    this.#queues.set(channel, queue);
    return watched;
  }

  async #subscribe(channel: string): Promise<void> {
    await this.#connection.call((client) => client.ssubscribe(channel));
  }

  #forget(queue: string, watched: Watched): void {
    if (this.#watched.get(queue) !== watched) return;
    const channel = channelOf(queue);
    this.#watched.delete(queue);
    this.#queues.delete(channel);
    const { client } = this.#connection;
    if (client.status === 'ready') client.sunsubscribe(channel).catch(() => {});
  }

  /** After a new connection: nobody knows what was said meanwhile, so everyone reads again. */
  async #resubscribe(): Promise<void> {
    await Promise.all(
      [...this.#watched.keys()].map(async (queue) => {
        try {
          await this.#subscribe(channelOf(queue));
          this.tell(queue, READ_AGAIN);
        } catch {
          // Only a new connection can help, and it begins with this again.
          if (this.#watched.has(queue)) this.#reconnect();
        }
      }),
    );
  }

  #reconnect(): void {
    const { client } = this.#connection;
    if (client.status === 'ready' && !client.isCluster) client.disconnect(true);
  }

  #heard(channel: string, message: string): void {
    if (channel === brokerChannel(this.#brokerId)) {
      const [queue, token] = list(JSON.parse(message));
      this.cancelled({ queue: text(queue), token: integer(token) });
      return;
    }
    const queue = this.#queues.get(channel);
    if (queue === undefined) return;
    const said: unknown = JSON.parse(message);
    const [brokerId, messageId, last, moved] = list(said);
    if (brokerId === this.#brokerId || typeof messageId !== 'string' || typeof last !== 'number') return;
    this.tell(queue, { messageId, last, events: undefined, moved: moved === true });
  }
}
