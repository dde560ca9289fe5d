import { randomUUID } from 'node:crypto';
import type { Claim, Destination, Outcome } from '../../../machines/events.ts';
import { ClaimLost } from '../../errors.ts';
import { writeTrace } from '../../trace.ts';
import { endEvent, processingEvent, queuedEvent, retryingEvent, TAKEN_OVER } from '../events.ts';
import {
  type Cancelled,
  type CancelledClaim,
  type Change,
  type ClaimedMessage,
  type DeadLetter,
  type DeadLetterPlace,
  type DelayedQueue,
  type Enqueued,
  type Handover,
  type LogEvent,
  type LogPage,
  type MessageState,
  type NewMessage,
  type Notice,
  newestFirst,
  PAGE_BYTES,
  type QueueState,
  type Renewal,
  type Requeued,
  type SettledMessage,
  type Store,
  type StoreSettings,
  type Sweep,
  TOTALS,
} from '../store.ts';
import { blocksOf, eventsIn } from './block.ts';
import { type Client, type Connection, connect, connectListener } from './connection.ts';
import {
  BROKER_KEYS,
  baseOf,
  brokerChannel,
  channelOf,
  deadKey,
  markerKey,
  messageKeys,
  outboxKey,
  queueKeys,
  SHARDS,
  shardKeys,
  shardOf,
} from './keys.ts';
import { RedisOutbox } from './outbox.ts';
import { Replication } from './replication.ts';
import {
  allAnswersOf,
  answersOf,
  claimOf,
  DEAD_LETTER_FIELDS,
  deadLetterOf,
  deadLetterPlacesOf,
  delayedOf,
  endStatusOf,
  integer,
  list,
  messageOf,
  noticesOf,
  pairs,
  renewalOf,
  statusOf,
  text,
  unexpected,
} from './reply.ts';
import { NOTICED, SCRIPTS, type Script, type Change as ScriptedChange } from './scripts.ts';
import { Watchers } from './watchers.ts';

/** Of a shard's overdue queues, and of one queue's overdue messages, so many end in one sweep. */
const EXPIRE_AT_ONCE = 100;
/** Of the due queues that are asked for, each shard tells so many times its part, and no fewer than this. */
const SHARE = 4;
const LEAST_SHARE = 10;
/** What is asked of all parts of Redis is not kept waiting for one that takes longer. */
const ANSWERS_WITHIN_MS = 1000;
/** A list that must not lack anything is waited for longer. */
const LIST_WITHIN_MS = 3000;
/** A call without an answer may be carried out for so long. */
const LATE_FOR_MS = 60_000;
/** So many destinations of one shard are told of in one sweep. */
const DELIVERIES_AT_ONCE = 20;

type Arguments = readonly (string | number)[];
/** Of which queue something is asked, and by which request. */
type Wish = { readonly queue: string; readonly by?: string | undefined };

/** The store in a Redis (7 or newer) or Redis Cluster that any number of brokers share. `keys.ts` shows what is where. */
export class RedisStore implements Store {
  readonly kind = 'redis';
  readonly #settings: StoreSettings;
  /** For how long a message is kept after its end, and one that failed. */
  readonly #retentions: readonly [number, number];
  readonly #redis: Connection;
  readonly #listener: Connection;
  readonly #watchers: Watchers;
  readonly #replication: Replication;
  readonly outbox: RedisOutbox;
  /** Of claims that have no answer yet: asked again under the same nonce, Redis gives the same claim. */
  readonly #nonces = new Map<string, string>();
  /**
   * Queues into which something was to be put, and claimed, under a nonce that must not be forgotten before it was found, and
   * since when that is not known, in `performance.now()` time.
   */
  readonly #late = new Map<string, number>();
  #onNotice: (notice: Notice) => void = () => {};

  /** Connects in the background: Redis may be away now, and come and go later. */
  constructor(url: string, settings: StoreSettings) {
    this.#settings = settings;
    this.#retentions = [settings.retentionMs, settings.deadLetterRetentionMs];
    this.#redis = connect(url);
    this.#listener = connectListener(url, this.#redis);
    this.#watchers = new Watchers(this.#listener, settings.brokerId);
    this.#replication = new Replication(() => connect(url), url.includes(',') ? 'cluster' : 'single');
    this.outbox = new RedisOutbox((script, queue, args) => this.#change(script, { queue }, args), settings);
  }

  async enqueue(message: NewMessage, begin = false): Promise<Enqueued> {
    const { id, queue, payload, trace, ifBusy, callback } = message;
    const { maxQueueLength, deduplicationMs, brokerId, leaseMs } = this.#settings;
    // Half a surrogate pair has no UTF-8, and Redis' JSON reader refuses its escape.
    const keys = JSON.stringify(message.deduplicationKeys.map((key) => key.toWellFormed()));
    const interrupt = ifBusy === 'interrupt';
    const args = [id, payload, deduplicationMs, keys];
    if (interrupt) args.push(...this.#retentions);
    else {
      args.push(maxQueueLength, ifBusy === 'reject' ? 1 : 0, brokerId);
      args.push(begin ? leaseMs : '', begin ? this.#nonce(queue) : '');
    }
    args.push('trace', writeTrace(trace));
    if (callback) args.push('callback_url', callback.url, 'callback', callback.details, 'callback_from', callback.from);
    const script = interrupt ? SCRIPTS.interrupt : SCRIPTS.enqueue;
    const wish = { queue, by: trace.requestId };
    const unconfirmed = async (answer: unknown) => {
      if (Array.isArray(answer) && answer[0] === 'claimed') await this.#unclaim(queue, answer[1]);
    };
    const reply = await this.#confirmed(script, wish, args, unconfirmed).catch((error: unknown) => {
      // It may still happen, after a claim has found nothing.
      if (begin) this.#late.set(queue, performance.now());
      throw error;
    });
    // Only the place of what was accepted as a matter of course. Should that be a repeat, and the first call have claimed it, it
    // will be claimed again under the same nonce.
    if (!Array.isArray(reply)) return { type: 'queued', position: integer(reply) };
    const [type, first, status, position] = list(reply);
    switch (type) {
      case 'claimed':
        this.#forgetNonce(queue);
        return { type: 'queued', position: 1, claimed: { ...this.#tellClaimed(queue, first), payload } };
      case 'interrupting':
        this.#sayCancelled(text(status), queue, integer(position));
        return { type: 'queued', position: integer(first) };
      case 'busy':
        return { type };
      case 'full':
        return { type, length: integer(first) };
      case 'duplicate':
        return { type, id: text(first), status: statusOf(status), position: integer(position) };
      default:
        throw unexpected(reply);
    }
  }

  async requeue(queue: string, messageId: string, only?: 'callback', by?: string): Promise<Requeued | undefined> {
    const most = this.#settings.maxQueueLength;
    const reply = await this.#confirmed(SCRIPTS.requeue, { queue, by }, [messageId, most, only ? 1 : 0]);
    if (reply === null) return undefined;
    const [type, value] = list(reply);
    switch (type) {
      case 'queued':
        return { type, position: integer(value) };
      case 'redelivering':
      case 'not_undelivered':
        return { type };
      case 'full':
        return { type, length: integer(value) };
      case 'not_failed':
        return { type, status: statusOf(value) };
      default:
        throw unexpected(reply);
    }
  }

  async cancel(queue: string, messageId: string, by?: string): Promise<Cancelled | undefined> {
    const reply = await this.#confirmed(SCRIPTS.cancel, { queue, by }, [...this.#retentions, messageId]);
    if (reply === null) return undefined;
    const [type, value, token] = list(reply);
    switch (type) {
      case 'cancelled':
        return { type };
      case 'cancelling':
        this.#sayCancelled(text(value), queue, integer(token));
        return { type };
      case 'ended':
        return { type, status: endStatusOf(value) };
      default:
        throw unexpected(reply);
    }
  }

  async clear(queue: string, by?: string): Promise<number> {
    return integer(await this.#confirmed(SCRIPTS.clear, { queue, by }, this.#retentions));
  }

  async claim(queue: string): Promise<ClaimedMessage | undefined> {
    const nonce = this.#nonce(queue);
    const { brokerId, leaseMs, messageTtlMs } = this.#settings;
    const args = [brokerId, leaseMs, messageTtlMs, ...this.#retentions, nonce];
    const reply = await this.#replication.confirmed(shardOf(queue), {
      change: SCRIPTS.claim,
      run: (script) => this.#change(script, { queue }, args),
      begins: true,
      unconfirmed: (answer) => this.#unclaim(queue, answer),
    });
    if (reply === null) {
      if (!this.#late.has(queue)) this.#forgetNonce(queue);
      return undefined;
    }
    this.#forgetNonce(queue);
    return this.#tellClaimed(queue, reply);
  }

  #forgetNonce(queue: string): void {
    this.#nonces.delete(queue);
    this.#late.delete(queue);
  }

  /** Its user may not come back. Should what was sent have been done after all, its message has lost one attempt. */
  #forgetLate(): void {
    const before = performance.now() - LATE_FOR_MS;
    for (const [queue, since] of this.#late) if (since < before) this.#forgetNonce(queue);
  }

  /** A claim made under a lost answer would cost the message an attempt; the nonce lets the answer be asked for again. */
  #nonce(queue: string): string {
    const nonce = this.#nonces.get(queue) ?? randomUUID();
    this.#nonces.set(queue, nonce);
    return nonce;
  }

  /** Gives back at once what nobody goes by: it would cost the message an attempt. */
  async #unclaim(queue: string, reply: unknown): Promise<void> {
    try {
      if (reply !== null) await this.release(claimOf(queue, reply).claim, { called: false, delayMs: 0 });
      this.#forgetNonce(queue);
    } catch {
      // Whether it is given back is not known: under the same nonce it is claimed again as the same attempt.
    }
  }

  async append(claim: Claim, last: number, events: readonly LogEvent[]): Promise<void> {
    await this.#write(SCRIPTS.append, claim, last, [], events);
    this.#tell(claim, last, events);
  }

  async retry(claim: Claim, last: number, reason: string): Promise<ClaimedMessage> {
    const attempt = claim.attempt + 1;
    const events = [retryingEvent(claim.messageId, attempt, reason)];
    const reply = await this.#write(SCRIPTS.retry, claim, last, [attempt], events);
    this.#tell(claim, last, events);
    return { ...claimOf(claim.queue, reply).claim, callback: undefined };
  }

  async settle(
    claim: Claim,
    last: number,
    events: readonly LogEvent[],
    outcome: Outcome,
    proceed: boolean,
  ): Promise<SettledMessage> {
    const all = [...events, endEvent(claim.messageId, outcome)];
    const { leaseMs, messageTtlMs } = this.#settings;
    const { code, error } = outcome.status === 'completed' ? { code: '', error: '' } : outcome;
    const details = [outcome.status, code, error, ...this.#retentions, messageTtlMs, proceed ? leaseMs : ''];
    const reply = await this.#write(SCRIPTS.settle, claim, last, details, all);
    this.#tell(claim, last, all);
    const next = typeof reply === 'string' ? this.#tellClaimed(claim.queue, reply) : undefined;
    return { next, waiting: next !== undefined || reply === 1, last: last + all.length };
  }

  async release(claim: Claim, { called, delayMs }: Handover): Promise<void> {
    const { brokerId } = this.#settings;
    await this.#change(SCRIPTS.release, claim, [brokerId, claim.token, called ? 1 : 0, Math.round(delayMs)]);
  }

  async renew(claims: readonly Claim[], tell: (claim: Claim, renewal: Renewal) => void): Promise<void> {
    const { brokerId, leaseMs } = this.#settings;
    const answers = await Promise.allSettled(
      claims.map(async (claim) => {
        tell(claim, renewalOf(await this.#change(SCRIPTS.renew, claim, [brokerId, leaseMs, claim.token])));
      }),
    );
    for (const answer of answers) if (answer.status === 'rejected') throw answer.reason;
  }

  onCancelled(callback: (claim: CancelledClaim) => void): void {
    this.#watchers.onCancelled(callback);
  }

  onNotice(callback: (notice: Notice) => void): void {
    this.#onNotice = callback;
  }

  async read(queue: string, messageId: string, after: number, limit: number): Promise<LogPage | undefined> {
    const base = baseOf(shardOf(queue));
    const reply = await this.#redis.run(
      SCRIPTS.read,
      [...messageKeys(base, messageId), `${base}w:${queue}`],
      [queue, messageId, after, limit, PAGE_BYTES],
    );
    if (reply === null) return undefined;
    const [status, position, accepted, first, last, stored] = list(reply);
    const before = integer(first) - 1;
    const told = after <= before && limit > 0 ? [queuedEvent(messageId, integer(accepted))] : [];
    const blocks = pairs(stored, (end, events) => ({ last: integer(end), text: text(events) }));
    return {
      status: statusOf(status),
      position: integer(position),
      after: Math.max(after, before),
      events: [...told, ...eventsIn(blocks, Math.max(after, before + 1), limit - told.length)],
      last: integer(last),
    };
  }

  async message(queue: string, messageId: string): Promise<MessageState | undefined> {
    const base = baseOf(shardOf(queue));
    const [key] = messageKeys(base, messageId);
    const reply = await this.#redis.run(SCRIPTS.message, [key, `${base}w:${queue}`], [queue, messageId]);
    if (reply === null) return undefined;
    return messageOf(messageId, reply);
  }

  async deadLetters(limit: number, after?: DeadLetterPlace): Promise<readonly DeadLetter[]> {
    const letters: DeadLetter[] = [];
    for (let from = after; ; ) {
      const places = await this.#deadLetterPlaces(limit, from);
      const asked = places.map(({ base, messageId }) =>
        this.#redis.call((client) => client.hmget(messageKeys(base, messageId)[0], ...DEAD_LETTER_FIELDS)),
      );
      const found = await allAnswersOf(asked, LIST_WITHIN_MS, this.#redis.fault);
      letters.push(...places.flatMap((place, index) => deadLetterOf(place, found[index]) ?? []));
      // Some may be gone by now.
      if (letters.length >= limit || places.length < limit) return letters.slice(0, limit);
      from = places.at(-1);
    }
  }

  async #deadLetterPlaces(limit: number, after: DeadLetterPlace | undefined) {
    const from = after ? [after.endedAt, after.messageId] : ['+inf', ''];
    const bases = Array.from({ length: SHARDS }, (_, shard) => baseOf(shard));
    const args = [limit, this.#settings.deadLetterRetentionMs, ...from];
    const shards = await allAnswersOf(
      bases.map((base) => this.#redis.run(SCRIPTS.dead, [deadKey(base)], args)),
      LIST_WITHIN_MS,
      this.#redis.fault,
    );
    const places = bases.flatMap((base, shard) =>
      deadLetterPlacesOf(shards[shard]).map((place) => ({ ...place, base })),
    );
    return newestFirst(places).slice(0, limit);
  }

  async discard(queue: string, messageId: string, only?: 'callback', by?: string): Promise<boolean | undefined> {
    const reply = await this.#confirmed(SCRIPTS.discard, { queue, by }, [messageId, only ? 1 : 0]);
    return reply === null ? undefined : reply === 1;
  }

  async delayed(limit: number): Promise<readonly DelayedQueue[]> {
    const answers = await answersOf(
      Array.from({ length: SHARDS }, (_, shard) => {
        const base = baseOf(shard);
        return this.#redis.run(SCRIPTS.delayed, [shardKeys(base)[1]], [base, limit]);
      }),
      ANSWERS_WITHIN_MS,
      this.#redis.fault,
    );
    const queues = answers.flatMap((answer) => (answer === undefined ? [] : delayedOf(answer)));
    return queues.sort((a, b) => b.waitMs - a.waitMs).slice(0, limit);
  }

  async announce(status: string, ttlMs: number): Promise<void> {
    await this.#redis.run(SCRIPTS.announce, BROKER_KEYS, [this.#settings.brokerId, status, ttlMs]);
  }

  async brokers(): Promise<readonly string[]> {
    return list(await this.#redis.run(SCRIPTS.brokers, BROKER_KEYS, [])).map(text);
  }

  async queue(queue: string): Promise<QueueState> {
    const base = baseOf(shardOf(queue));
    const [now, processing, waiting] = list(
      await this.#redis.run(SCRIPTS.queue, [`${base}w:${queue}`, `${base}q:${queue}`], [base]),
    );
    const [id, attempt, queuedAt] = processing ? list(processing) : [];
    return {
      processing: processing ? { id: text(id), attempt: integer(attempt), queuedAt: integer(queuedAt) } : undefined,
      waiting: pairs(waiting, (waitingId, at) => ({ id: text(waitingId), queuedAt: integer(at) })),
      now: integer(now),
    };
  }

  async sweep(limit: number): Promise<Sweep> {
    const { messageTtlMs, deadLetterRetentionMs } = this.#settings;
    const askedAt = performance.now();
    const { refusesWrites } = this.#redis;
    this.#forgetLate();
    // Queues are spread over the shards: a share that is some times their part finds nearly as many, and costs a part of it.
    const share = Math.min(limit, Math.max(LEAST_SHARE, Math.ceil((SHARE * limit) / SHARDS)));
    const args = [
      share,
      messageTtlMs,
      EXPIRE_AT_ONCE,
      DELIVERIES_AT_ONCE,
      deadLetterRetentionMs,
      refusesWrites ? 1 : 0,
    ];
    const answers = await answersOf(
      Array.from({ length: SHARDS }, async (_, shard) => {
        const base = baseOf(shard);
        const keys = [...shardKeys(base), outboxKey(base), deadKey(base), markerKey(base)];
        const answer = await this.#redis.run(SCRIPTS.sweep, keys, args);
        const [id, online] = list(answer).slice(-2);
        this.#replication.learn(shard, id, online, askedAt);
        return answer;
      }),
      ANSWERS_WITHIN_MS,
      this.#redis.fault,
    );
    if (refusesWrites && !answers.includes(undefined)) this.#redis.takesWrites();
    const overdue: string[] = [];
    const due: { queue: string; at: number }[] = [];
    const destinations: Destination[] = [];
    const counts = { activeQueues: 0, waiting: 0, processing: 0, oldestWaitMs: 0, callbacks: 0, deadLetters: 0 };
    const totals = { accepted: 0, completed: 0, failed: 0, cancelled: 0, expired: 0 };
    let complete = true;
    let more = false;
    for (const [shard, answer] of answers.entries()) {
      // What may not be changed now would only be in the way of the others.
      const changeable = answer !== undefined && !this.#replication.isBehind(shard);
      complete &&= changeable;
      if (answer === undefined) continue;
      const [now, queues, active, waiting, processing, oldest, late, dueDestinations, callbacks, dead, ever] =
        list(answer);
      if (changeable) {
        overdue.push(...list(late).map(text));
        const told = pairs(queues, (queue, at) => ({ queue: text(queue), at: integer(at) }));
        due.push(...told);
        more ||= told.length > 0 && told.length >= share;
      }
      counts.activeQueues += integer(active);
      counts.waiting += integer(waiting);
      counts.processing += integer(processing);
      counts.callbacks += integer(callbacks);
      counts.deadLetters += integer(dead);
      for (const [index, name] of TOTALS.entries()) totals[name] += integer(list(ever)[index]);
      destinations.push(...pairs(dueDestinations, (queue, url) => ({ queue: text(queue), url: text(url) })));
      if (integer(oldest)) counts.oldestWaitMs = Math.max(counts.oldestWaitMs, integer(now) - integer(oldest));
    }
    const expire = [...this.#retentions, messageTtlMs, EXPIRE_AT_ONCE];
    await Promise.allSettled(overdue.map((queue) => this.#change(SCRIPTS.expire, { queue }, expire)));
    due.sort((a, b) => a.at - b.at);
    return {
      due: due.slice(0, limit).map(({ queue }) => queue),
      more: more || due.length > limit,
      destinations,
      counts,
      totals,
      complete,
    };
  }

  keepalive({ queue, messageId }: Claim, data: string): void {
    const change = { messageId, last: 0, events: undefined, moved: false, keepalive: data };
    this.#watchers.tell(queue, change);
    const news = JSON.stringify([this.#settings.brokerId, messageId, 0, false, data]);
    this.#redis.call((client) => client.spublish(channelOf(queue), news)).catch(() => {});
  }

  async watch(queue: string, onChange: (change: Change) => void): Promise<() => void> {
    return this.#watchers.add(queue, onChange);
  }

  async ping(): Promise<void> {
    await this.#redis.call((client) => client.ping());
  }

  async close(): Promise<void> {
    this.#watchers.close();
    await Promise.all([this.#redis.close(), this.#listener.close(), this.#replication.close()]);
  }

  /**
   * What an operator should know: how this Redis may lose accepted messages. Where Redis does not tell, nothing.
   * Waits for the first connection.
   */
  async warnings(): Promise<string[]> {
    await this.#redis.firstReady();
    const warnings: string[] = [];
    const version = /redis_version:(\d+)/.exec(await this.#ask((client) => client.info('server')))?.[1];
    if (version && Number(version) < 7)
      warnings.push(`Redis ${version} is too old: the broker needs Redis 7 or newer.`);
    const policy = await this.#setting('maxmemory-policy');
    if (policy && policy !== 'noeviction') {
      warnings.push(`Redis may evict accepted messages: its maxmemory-policy is ${policy}. Set it to noeviction.`);
    }
    if ((await this.#setting('appendonly')) === 'no') {
      warnings.push('Redis may lose accepted messages when it stops: appendonly is off. Set it to yes.');
    }
    if (!(await this.#mayBeWaitedFor())) {
      const so = 'Redis does not tell of its replicas, or lets nobody wait for them';
      warnings.push(`${so}: a failover may lose accepted messages. Allow the broker INFO and WAIT.`);
    }
    return warnings;
  }

  async #mayBeWaitedFor(): Promise<boolean> {
    const id = await this.#ask(async (client) => {
      await client.wait(0, 1);
      return text(list(await this.#redis.run(SCRIPTS.master, [markerKey(baseOf(0))], []))[0]);
    });
    return id !== '';
  }

  async #setting(name: string): Promise<string> {
    return this.#ask(async (client) => {
      const reply: unknown = await client.config('GET', name);
      return Array.isArray(reply) && typeof reply[1] === 'string' ? reply[1] : '';
    });
  }

  /** Managed Redis forbids some questions: their answer is then empty. */
  async #ask(question: (client: Client) => Promise<string>): Promise<string> {
    return this.#redis.call(question).catch(() => '');
  }

  /** Runs a script that changes a queue, and gives notice of what it did. */
  async #change(script: Script, { queue, by }: Wish, args: Arguments): Promise<unknown> {
    const base = baseOf(shardOf(queue));
    const place: Arguments = [base, queue];
    const reply = await this.#redis.run(script, queueKeys(base, queue), place.concat(args));
    if (!Array.isArray(reply) || reply[0] !== NOTICED) return reply;
    for (const notice of noticesOf(queue, by, reply[1])) this.#onNotice(notice);
    return reply[2];
  }

  /** The same; when it answers, the change outlives the loss of the master that made it. */
  #confirmed(
    change: ScriptedChange,
    wish: Wish,
    args: Arguments,
    unconfirmed = async (_answer: unknown) => {},
  ): Promise<unknown> {
    const run = (script: Script) => this.#change(script, wish, args);
    return this.#replication.confirmed(shardOf(wish.queue), { change, run, begins: true, unconfirmed });
  }

  /** Tells the broker that works on it. Should that get lost, its next renewal tells. */
  #sayCancelled(owner: string, queue: string, token: number): void {
    if (owner === this.#settings.brokerId) {
      this.#watchers.cancelled({ queue, token });
      return;
    }
    const claim = JSON.stringify([queue, token]);
    this.#redis.call((client) => client.spublish(brokerChannel(owner), claim)).catch(() => {});
  }

  /** Runs a script that writes to the log of a claimed message. */
  async #write(
    change: ScriptedChange,
    claim: Claim,
    last: number,
    details: Arguments,
    events: readonly LogEvent[],
  ): Promise<unknown> {
    const { queue, token, messageId } = claim;
    const args = [this.#settings.brokerId, token, messageId, last, ...details];
    for (const block of blocksOf(events, last)) args.push(block.last, block.text);
    const run = (script: Script) => this.#change(script, claim, args);
    // What is in hand is finished, also while its replica is behind.
    const reply = await this.#replication.confirmed(shardOf(queue), { change, run, begins: false });
    if (!Array.isArray(reply)) return reply;
    const [type, stored] = list(reply);
    if (type === 'lost') throw new ClaimLost(queue, token);
    throw new Error(`Log of ${messageId} is at ${stored}, not at ${last}`);
  }

  #tell(claim: Claim, last: number, events: readonly LogEvent[]): void {
    this.#watchers.tell(claim.queue, {
      messageId: claim.messageId,
      last: last + events.length,
      events,
      moved: false,
    });
  }

  /** The claim that a script gave; the events it wrote itself are those that `take` in parts/claiming.lua writes. */
  #tellClaimed(queue: string, reply: unknown): ClaimedMessage {
    const { claim, written } = claimOf(queue, reply);
    if (!this.#watchers.has(queue)) return claim;
    const { messageId, attempt, last } = claim;
    const retrying = written > 1 ? [retryingEvent(messageId, attempt, TAKEN_OVER)] : [];
    const events = [...retrying, processingEvent(messageId, attempt)];
    this.#watchers.tell(queue, { messageId, last, events: written ? events : undefined, moved: written === 1 });
    return claim;
  }
}
