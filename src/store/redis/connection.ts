import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, type ClusterOptions, Command, type DNSLookupFunction, Redis, type RedisOptions } from 'ioredis';
import { Deadlines } from '../../deadlines.ts';
import { StoreUnavailable } from '../../errors.ts';
import type { Script } from './scripts.ts';

/** A call that has no answer by then fails. Its caller may repeat it. */
const ANSWER_WITHIN_MS = 5000;
/** What is large may take longer, as over a connection of 1 MB/s. */
const SLOWEST_BYTES_PER_MS = 1000;
/** A connection that is silent for so long while an answer is due is given up for a new one. */
const SILENCE_MS = 8000;
const QUIT_WITHIN_MS = 1000;

const AS_TEXT = { replyEncoding: 'utf8' } as const;

/** First words of Redis' errors that say "not now" rather than "never". */
const NOT_NOW = new Set([
  'ASK',
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'MISCONF',
  'MOVED',
  'NOAUTH',
  'NOPERM',
  'NOREPLICAS',
  'NOREPLICASDATA',
  'OOM',
  'READONLY',
  'TRYAGAIN',
  'UNBLOCKED',
  'WRONGPASS',
]);

export type Client = Redis | Cluster;

/**
 * A connection to Redis that may be away: calls wait a moment for it, then fail, and the next ones work by themselves once it is back.
 * Nothing is queued or resent by ioredis itself: what a lost connection left open fails, and its caller decides.
 */
export class Connection {
  readonly client: Client;
  #fault: Error | undefined;
  #becomingReady: Promise<void> | undefined;
  readonly #deadlines = new Deadlines();
  #gathering = false;
  #refusesWrites = false;

  constructor(client: Client) {
    this.client = client;
    client.on('error', (error: Error) => {
      this.#fault = error;
    });
    client.on('ready', () => {
      this.#fault = undefined;
    });
  }

  /**
   * Runs a script. Redis is sent its name; only when it does not know that (it has restarted) the whole text. This is what
   * all messages go through: the command itself is late rather than raced with a timer of its own.
   */
  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const { client } = this;
    let size = 0;
    for (const arg of args) size += typeof arg === 'string' ? arg.length : 8;
    const withinMs = ANSWER_WITHIN_MS + size / SLOWEST_BYTES_PER_MS;
    try {
      if (client.status !== 'ready') await this.#ready();
      this.#together();
      const told: readonly (string | number)[] = [script.sha, keys.length];
      const command = new Command('evalsha', told.concat(keys, args), AS_TEXT);
      const deadline = this.#deadlines.add(withinMs, () => command.reject(noAnswer(withinMs, this.#fault)));
      try {
        client.sendCommand(command);
        return await command.promise;
      } finally {
        this.#deadlines.drop(deadline);
      }
    } catch (error) {
      if (refusesToWrite(error)) this.#refusesWrites = true;
      if (!isUnknownScript(error)) throw asOurs(error);
      return this.call(() => client.eval(script.lua, keys.length, ...keys, ...args), withinMs);
    }
  }

  /** Whether Redis, or a part of it, has last been seen to answer and to write nothing: it is full, or a replica. */
  get refusesWrites(): boolean {
    return this.#refusesWrites;
  }

  /** What is wrong with the connection; undefined while nothing is. */
  readonly fault = (): Error | undefined => this.#fault;

  /** All of it has been seen to write. */
  takesWrites(): void {
    this.#refusesWrites = false;
  }

  /** Asks something else than a script. */
  async call<Result>(ask: (client: Client) => Promise<Result>, withinMs = ANSWER_WITHIN_MS): Promise<Result> {
    try {
      if (this.client.status !== 'ready') await this.#ready();
      this.#together();
      return await inTime(ask(this.client), withinMs, () => this.#fault);
    } catch (error) {
      if (refusesToWrite(error)) this.#refusesWrites = true;
      throw asOurs(error);
    }
  }

  /** What is sent from here on goes out together, once all that has arrived by now was looked at. */
  #together(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    const { client } = this;
    const streams = (client instanceof Cluster ? client.nodes('master') : [client]).map(({ stream }) => stream);
    for (const stream of streams) stream?.cork();
    setImmediate(() => {
      this.#gathering = false;
      for (const stream of streams) stream?.uncork();
    });
  }

  /** Quits, or if Redis does not answer simply leaves. */
  async close(): Promise<void> {
    if (this.client.status === 'ready') {
      await Promise.race([this.client.quit().catch(() => {}), delay(QUIT_WITHIN_MS, undefined, { ref: false })]);
    }
    this.client.disconnect();
  }

  /** Resolves with the first connection, however long that takes. */
  firstReady(): Promise<void> {
    const { client } = this;
    return client.status === 'ready' ? Promise.resolve() : new Promise((resolve) => void client.once('ready', resolve));
  }

  #ready(): Promise<void> {
    const { client } = this;
    if (client.status === 'end') throw new Error('The connection was closed.');
    this.#becomingReady ??= new Promise<void>((resolve, reject) => {
      const onReady = () => settle();
      const onEnd = () => settle(new Error('The connection was closed.'));
      // One that is known to be gone is not waited for as long as one that is just being made.
      const withinMs = this.#fault ? ANSWER_WITHIN_MS / 3 : ANSWER_WITHIN_MS;
      const timer = setTimeout(() => settle(this.#fault ?? new Error('There is no connection.')), withinMs);
      const settle = (error?: Error) => {
        clearTimeout(timer);
        client.off('ready', onReady);
        client.off('end', onEnd);
        this.#becomingReady = undefined;
        if (error) reject(error);
        else resolve();
      };
      client.on('ready', onReady);
      client.on('end', onEnd);
    });
    return this.#becomingReady;
  }
}

/** `redis://` or `rediss://`; a comma-separated list, even of one node, is a Cluster. */
export function connect(url: string): Connection {
  return new Connection(url.includes(',') ? cluster(url) : new Redis(url, SINGLE));
}

/** A second connection, for listening only. A Cluster listens through connections of its own. */
export function connectListener(url: string, main: Connection): Connection {
  return url.includes(',') ? main : new Connection(new Redis(url, SINGLE));
}

const COMMON = {
  socketTimeout: SILENCE_MS,
  connectTimeout: SILENCE_MS,
  // A replica that was a master until now refuses writes: connect anew, to whom the name means by now.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  autoResubscribe: false,
} satisfies RedisOptions;

const SINGLE = {
  ...COMMON,
  // Calls wait for the connection in `Connection`; ioredis shall fail what is open when it breaks, not resend it later.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: backOffMs,
} satisfies RedisOptions;

function cluster(url: string): Cluster {
  const [first = '', ...more] = url.split(',').filter((node) => node.trim());
  const scheme = /^rediss?:\/\//.exec(first.trim())?.[0] ?? 'redis://';
  const nodes = [first, ...more].map(
    (node) => new URL(/^rediss?:\/\//.test(node.trim()) ? node.trim() : scheme + node.trim()),
  );
  const { username, password } = nodes[0] ?? {};
  const tls = scheme === 'rediss://';
  const options = {
    shardedSubscribers: true,
    clusterRetryStrategy: backOffMs,
    redisOptions: {
      ...COMMON,
      ...(username ? { username: decodeURIComponent(username) } : {}),
      ...(password ? { password: decodeURIComponent(password) } : {}),
      ...(tls ? { tls: {} } : {}),
    },
    // A certificate names hosts, so with TLS nodes are called by the name they give.
    ...(tls ? { dnsLookup: byName } : {}),
  } satisfies ClusterOptions;
  return new Cluster(
    nodes.map((node) => ({ host: node.hostname, port: Number(node.port || 6379) })),
    options,
  );
}

const byName: DNSLookupFunction = (address, callback) => callback(null, address);

function backOffMs(times: number): number {
  return Math.min(25 * 2 ** Math.min(times, 6), 1000) * (0.75 + Math.random() / 4);
}

function isNotNow(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Only an answer of Redis is a ReplyError; all else is the connection's.
  if (error.name !== 'ReplyError') return !(error instanceof TypeError || error instanceof RangeError);
  return NOT_NOW.has(error.message.split(' ', 1)[0] ?? '');
}

/** It would answer questions all the same, and seem well. */
function refusesToWrite(error: unknown): boolean {
  return error instanceof Error && /^(OOM|READONLY|MISCONF|NOREPLICAS) /.test(error.message);
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** The one place where what goes wrong with Redis becomes StoreUnavailable. */
function asOurs(error: unknown): unknown {
  return isNotNow(error) ? new StoreUnavailable(error) : withoutCommand(error);
}

/** What Redis said, without what it was sent: ioredis hangs that on its errors, and it holds what people wrote. */
function withoutCommand(error: unknown): unknown {
  return error instanceof Error && 'command' in error ? new Error(error.message) : error;
}

/** A Cluster would take the message of a fault for an answer of Redis to this command. */
export function noAnswer(withinMs: number, cause?: Error): Error {
  return new Error(`There was no answer within ${Math.round(withinMs)} ms.`, { cause });
}

/** The answer, if it comes within that time; else rejects, with the fault if there is one. */
export function inTime<Result>(
  answer: Promise<Result>,
  withinMs: number,
  fault: () => Error | undefined = () => undefined,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const late = () => reject(noAnswer(withinMs, fault()));
    // On a busy machine the answer may be here unread: sockets are read between this timer and the immediate.
    const timer = setTimeout(() => setImmediate(late), withinMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
