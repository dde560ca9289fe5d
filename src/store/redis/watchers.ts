import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { Register } from '../../register.ts';
import { type CancelledClaim, type Change, READ_AGAIN } from '../store.ts';
import type { Connection } from './connection.ts';
import { brokerChannel, channelOf } from './keys.ts';

/** A connection that only listens would not notice that the other end is gone, unless it asks. */
const ASK_EVERY_MS = 15_000;

const SUBSCRIBE_AGAIN_MS = 1000;

/** What is said in a queue's channel, and in a broker's; see `keys.ts`. */
const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' });
    return z.NEVER;
  }
});
const news = json.pipe(z.tuple([z.string(), z.string(), z.number(), z.boolean(), z.string().optional()]));
const cancellation = json.pipe(z.tuple([z.string(), z.number()]));

type Watched = { readonly callbacks: Set<(change: Change) => void>; readonly subscribed: Promise<void> };

/** Who watches which queue here, one subscription for each queue whatever the number of its watchers, and what this broker is told itself. */
export class Watchers {
  readonly #connection: Connection;
  readonly #brokerId: string;
  /** What news begin with that this broker told itself. */
  readonly #own: string;
  readonly #watched = new Register<string, Watched>();
  readonly #queues = new Map<string, string>();
  readonly #asking: NodeJS.Timeout;
  #onCancelled: (claim: CancelledClaim) => void = () => {};
  /** Counts how often all had to be subscribed anew. */
  #connected = 0;

  constructor(connection: Connection, brokerId: string) {
    this.#connection = connection;
    this.#brokerId = brokerId;
    this.#own = `[${JSON.stringify(brokerId)},`;
    const { client } = connection;
    client.on('smessage', (channel: string, message: string) => this.#heard(channel, message));
    // A Cluster subscribes over connections of its own, which it makes anew as its nodes change.
    for (const event of ['ready', 'subscribersReady']) {
      let first = true;
      client.on(event, () => {
        // Without it claims that were cancelled are still found, when they are next renewed.
        this.#subscribe(brokerChannel(brokerId)).catch(() => {});
        if (!first) this.#resubscribe();
        first = false;
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

  /** Whether anybody here watches the queue. */
  has(queue: string): boolean {
    return this.#watched.has(queue);
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
    // Whoever comes next tries anew. The subscription may have come about although its answer did not.
    watched.subscribed.catch(() => this.#forget(queue, watched));
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
  #resubscribe(): void {
    this.#connected += 1;
    for (const queue of this.#watched.keys()) void this.#watchAgain(queue, this.#connected);
  }

  /** Until it is subscribed, nobody watches any more, or the next new connection begins with this again. */
  async #watchAgain(queue: string, connected: number): Promise<void> {
    while (this.#watched.has(queue) && connected === this.#connected) {
      try {
        await this.#subscribe(channelOf(queue));
        this.tell(queue, READ_AGAIN);
        return;
      } catch {
        await delay(SUBSCRIBE_AGAIN_MS, undefined, { ref: false });
      }
    }
  }

  /** What is not news as brokers tell it is no fault of ours, and is left. */
  #heard(channel: string, message: string): void {
    if (channel === brokerChannel(this.#brokerId)) {
      const { data } = cancellation.safeParse(message);
      if (data) this.cancelled({ queue: data[0], token: data[1] });
      return;
    }
    const queue = this.#queues.get(channel);
    // Its own, which are most of them, need no look inside.
    if (queue === undefined || message.startsWith(this.#own)) return;
    const { data } = news.safeParse(message);
    if (!data || data[0] === this.#brokerId) return;
    const [, messageId, last, moved, keepalive] = data;
    const change = { messageId, last, events: undefined, moved };
    this.tell(queue, keepalive === undefined ? change : { ...change, keepalive });
  }
}
