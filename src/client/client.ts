import { Address } from './address.ts';
import { Connection, type Fetch } from './connection.ts';
import { type DeadLetterPage, type Discarded, deadLetterPage, discarded } from './dead-letter.ts';
import { BrokerError } from './error.ts';
import type { BrokerEvent } from './event.ts';
import { type Health, health } from './health.ts';
import { leavable } from './leave.ts';
import {
  type Accepted,
  accepted,
  type Cancelled,
  cancelled,
  type MessageState,
  messageState,
  type NewMessage,
  type Retried,
  retried,
} from './message.ts';
import { type Cleared, cleared, type QueueState, queueState } from './queue.ts';
import { Retries } from './retries.ts';
import { follow } from './stream.ts';
import { pause } from './time.ts';

/** Three times as long as the broker ever is silent on an open stream. */
const IDLE_MS = 45_000;
const PATIENCE_MS = 300_000;

export type BrokerClientOptions = {
  /**
   * The broker's address, such as `https://broker.example.org`; in a browser it may be a path of the page's own origin,
   * or empty. Without user name, password, query and fragment.
   */
  readonly url: string;
  /** Sent with every request. Never give one to a page: let it read a `stream_url` instead, which carries a token. */
  readonly apiKey?: string | undefined;
  /** Instead of the global `fetch`. */
  readonly fetch?: Fetch | undefined;
  /**
   * For so long, in milliseconds, after something went wrong `send`, `stream` and `sendAndStream` try again; then they
   * throw what went wrong last. Begins anew with each event. 300,000 by default; 0: never again; `Infinity`: for ever.
   */
  readonly patienceMs?: number | undefined;
  /** An answer or a stream that is silent for so long, in milliseconds, counts as broken. 45,000 by default; `Infinity`: never. */
  readonly idleMs?: number | undefined;
};

export type CallOptions = {
  /** Breaks the call off, which then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
};

export type ReadOptions = CallOptions & {
  /** Told each time that the events are lost for a while, before it is tried again. */
  readonly onReconnect?: ((fault: BrokerError) => void) | undefined;
};

/** Which message's events to read, and from where on. */
export type StreamOptions = ReadOptions & {
  /** Id of the last event that you have; the first one that comes is the one after it. */
  readonly lastEventId?: number | undefined;
} & (
    | {
        /** Name of the queue. */
        readonly userId: string;
        readonly messageId: string;
        /** Opens this message's events without a key. */
        readonly token?: string | undefined;
      }
    | {
        /** As `send` or `retry` answered it. */
        readonly streamUrl: string;
      }
  );

/**
 * A client of the message broker, for Node.js and browsers. What it sends and answers has the names of docs/api.md.
 * `userId` is always the name of the queue: a user, or in a group `group:{org_id}:{chat_id}[:{thread_id}]`.
 * Every method throws BrokerError when the broker says no, does not answer, or is no broker.
 */
export class BrokerClient {
  readonly #connection: Connection;
  readonly #patienceMs: number;

  constructor({ url, apiKey, fetch, patienceMs = PATIENCE_MS, idleMs = IDLE_MS }: BrokerClientOptions) {
    // The value is not told: messages of errors end in logs.
    if (apiKey !== undefined && !/^[\x21-\x7e]+$/.test(apiKey)) {
      throw new TypeError('apiKey must be visible ASCII characters');
    }
    if (!(idleMs > 0)) throw new TypeError('idleMs must be more than 0 milliseconds, or Infinity');
    if (!(patienceMs >= 0)) throw new TypeError('patienceMs must be 0 milliseconds or more, or Infinity');
    this.#connection = new Connection({
      address: new Address(url),
      apiKey,
      fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
      idleMs,
    });
    this.#patienceMs = patienceMs;
  }

  /**
   * Sends a message; answers once the broker has it. When no answer comes, or a `503`, it is sent again under the same
   * `client_message_id`, and so is accepted once. Once broken off it may have been accepted all the same.
   */
  async send(message: NewMessage, { signal }: CallOptions = {}): Promise<Accepted> {
    const body = { ...message, client_message_id: message.client_message_id ?? newId() };
    const retries = new Retries(this.#patienceMs);
    for (;;) {
      try {
        return await this.#connection.ask('/api/v1/message', accepted, { method: 'POST', body, signal });
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        await pause(retries.pauseAfter(error), signal);
      }
    }
  }

  /**
   * A message's events up to its last one, `done` or `error`; before, during and after the work. Comes back by itself
   * when the connection breaks, and goes on where it was: no event comes twice, none is left out. Leaving the loop leaves
   * the stream, and stops nothing. Ends without an event when `lastEventId` was the last one.
   */
  stream({
    lastEventId = 0,
    signal,
    onReconnect,
    ...which
  }: StreamOptions): AsyncGenerator<BrokerEvent, void, undefined> {
    const path = 'streamUrl' in which ? which.streamUrl : streamPath(which);
    return leavable(signal, (left) => follow(this.#connection, this.#patienceMs, path, lastEventId, left, onReconnect));
  }

  /** `send`, then `stream`. It is sent when the first event is asked for. */
  sendAndStream(
    message: NewMessage,
    { signal, ...options }: ReadOptions = {},
  ): AsyncGenerator<BrokerEvent, void, undefined> {
    return leavable(signal, (left) => this.#sendAndStream(message, { ...options, signal: left }));
  }

  /** How a message stands, with its result once there is one. */
  async message(userId: string, messageId: string, options: CallOptions = {}): Promise<MessageState> {
    return this.#connection.ask(messagePath(userId, messageId), messageState, options);
  }

  /** Cancels a message, waiting or running. `already_ended` (`409`) when it has. */
  async cancel(userId: string, messageId: string, options: CallOptions = {}): Promise<Cancelled> {
    return this.#connection.ask(messagePath(userId, messageId), cancelled, { ...options, method: 'DELETE' });
  }

  /** What waits in a queue and what is worked on. */
  async queue(userId: string, options: CallOptions = {}): Promise<QueueState> {
    return this.#connection.ask(queuePath(userId), queueState, options);
  }

  /** Cancels all that wait, and leaves the one that runs. */
  async clear(userId: string, options: CallOptions = {}): Promise<Cleared> {
    return this.#connection.ask(queuePath(userId), cleared, { ...options, method: 'DELETE' });
  }

  /** A page of what failed, newest first. `limit`: 1 to 500, 50 by default; `cursor`: the `next_cursor` of the page before. */
  async deadLetters({
    limit,
    cursor,
    signal,
  }: CallOptions & {
    readonly limit?: number | undefined;
    readonly cursor?: string | undefined;
  } = {}): Promise<DeadLetterPage> {
    const query = new URLSearchParams();
    if (limit !== undefined) query.set('limit', String(limit));
    if (cursor !== undefined) query.set('cursor', cursor);
    return this.#connection.ask(`/api/v1/dead-letters?${query}`, deadLetterPage, { signal });
  }

  /**
   * Puts a failed message at the end of its queue again. Of one that did not fail, and of any with `only`, a callback that
   * was given up is made again. `not_failed`, `not_undelivered` (`409`) when there is nothing of the kind.
   */
  async retry(
    userId: string,
    messageId: string,
    { only, ...options }: CallOptions & { readonly only?: 'callback' | undefined } = {},
  ): Promise<Retried> {
    const path = `${messagePath(userId, messageId)}/retry${only ? `?only=${only}` : ''}`;
    return this.#connection.ask(path, retried, { ...options, method: 'POST' });
  }

  /**
   * Lists a failed message no more, nor its callback if that was given up; with `only` that callback alone. The message can
   * be looked at, and retried, until it is forgotten. `not_dead` (`409`) when it is no dead letter.
   */
  async discard(
    userId: string,
    messageId: string,
    { only, ...options }: CallOptions & { readonly only?: 'callback' | undefined } = {},
  ): Promise<Discarded> {
    const query = new URLSearchParams({ user_id: userId, ...(only && { only }) });
    const path = `/api/v1/dead-letters/${segment(messageId)}?${query}`;
    return this.#connection.ask(path, discarded, { ...options, method: 'DELETE' });
  }

  /** How the broker is, also when it is unhealthy (`503`). Needs no key. */
  async health(options: CallOptions = {}): Promise<Health> {
    return this.#connection.ask('/health', health, { ...options, also: [503] });
  }

  async *#sendAndStream(message: NewMessage, options: ReadOptions): AsyncGenerator<BrokerEvent, void, undefined> {
    const { stream_url } = await this.send(message, options);
    yield* this.stream({ ...options, streamUrl: stream_url });
  }
}

/** Not `randomUUID`, which pages without TLS do not have. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function streamPath({ userId, messageId, token }: { userId: string; messageId: string; token?: string | undefined }) {
  const query = new URLSearchParams({ user_id: userId, message_id: messageId });
  if (token) query.set('token', token);
  return `/api/v1/stream?${query}`;
}

function queuePath(userId: string): string {
  return `/api/v1/queue/${segment(userId)}`;
}

function messagePath(userId: string, messageId: string): string {
  return `${queuePath(userId)}/messages/${segment(messageId)}`;
}

/** Part of a path. An empty one, `.` and `..` would make it another path: of the whole queue, say. */
function segment(id: string): string {
  if (/^\.{0,2}$/.test(id)) throw new TypeError(`"${id}" cannot be the id of a user or a message in a path`);
  return encodeURIComponent(id);
}
