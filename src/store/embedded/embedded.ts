import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Claim, Outcome } from '../../../machines/events.ts';
import { ClaimLost } from '../../errors.ts';
import { readTrace } from '../../trace.ts';
import { CANCELLED, EXPIRED, endEvent, processingEvent, retryingEvent, TAKEN_OVER } from '../events.ts';
import type {
  Cancelled,
  CancelledClaim,
  Change,
  ClaimedMessage,
  DeadLetter,
  DeadLetterPlace,
  DelayedQueue,
  Enqueued,
  Handover,
  LogEvent,
  LogPage,
  MessageState,
  NewMessage,
  Notice,
  QueueState,
  Renewal,
  Requeued,
  SettledMessage,
  Store,
  StoreSettings,
  Sweep,
} from '../store.ts';
import { Database } from './database.ts';
import { type MessageRow, Messages } from './messages.ts';
import { EmbeddedOutbox } from './outbox.ts';
import { Work } from './work.ts';

type QueueRow = {
  message_id: string;
  owner: string;
  token: number;
  lease_until: number;
  previous: number;
  unused: number;
  told: number;
  cancelled: number;
};

/** What was put off before a start is put off no longer than this after it. */
const LONGEST_PAUSE_MS = 30_000;
/** So many overdue messages end in one sweep at most. */
const EXPIRE_AT_ONCE = 1000;

/**
 * The store in one SQLite file, for one broker: it takes the file for itself and refuses a second one.
 * Calls are synchronous inside (17 µs an enqueue) and asynchronous outside, as the port asks.
 */
export class EmbeddedStore implements Store {
  readonly kind = 'embedded';
  readonly #settings: StoreSettings;
  readonly #db: Database;
  readonly #messages: Messages;
  readonly #work: Work;
  readonly outbox: EmbeddedOutbox;
  readonly #watchers = new Map<string, Set<(change: Change) => void>>();
  /** What is to be told once the change under way is committed. */
  readonly #news: (() => void)[] = [];
  #onCancelled: (claim: CancelledClaim) => void = () => {};
  #onNotice: (notice: Notice) => void = () => {};
  /** What this broker announced. Kept in memory: the file has one broker, so nobody else could read it there. */
  #announced: { readonly status: string; readonly until: number } | undefined;

  /** Opens or makes the file in `directory`. Throws if another process has it. */
  constructor(directory: string, settings: StoreSettings) {
    // What people wrote is nobody else's business.
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new Error(`DATA_DIR ${directory} cannot be made: ${error instanceof Error ? error.message : error}.`, {
        cause: error,
      });
    }
    const schema = readFileSync(new URL('schema.sql', import.meta.url), 'utf8');
    this.#settings = settings;
    this.#db = new Database(join(directory, 'broker.sqlite'), schema);
    this.#work = new Work(this.#db);
    this.outbox = new EmbeddedOutbox(this.#db, this.#work, settings);
    this.#messages = new Messages(this.#db, settings, this.#work, this.outbox, (queue, change) =>
      this.#tell(queue, change),
    );
    // The file is ours alone, so whoever held its claims is gone.
    this.#db.run(`UPDATE work SET due = 0 WHERE queue IN (SELECT id FROM queues WHERE owner <> '')`);
    this.#db.run(`UPDATE queues SET lease_until = 0 WHERE owner <> ''`);
    // The clock may have been set back since others were put off: by an hour, or by years.
    const soon = Date.now() + LONGEST_PAUSE_MS;
    this.#db.run('UPDATE work SET due = min(due, ?)', soon);
    this.#db.run('UPDATE queues SET lease_until = min(lease_until, ?)', soon);
    this.outbox.open(soon);
  }

  async enqueue(message: NewMessage): Promise<Enqueued> {
    const { queue, ifBusy } = message;
    return this.#change(() => {
      const now = Date.now();
      const known = this.#messages.find(message.id);
      if (known) return { type: 'queued', position: known.position };
      const first = this.#messages.duplicate(queue, message.deduplicationKeys, now);
      if (first) {
        const row = this.#messages.find(first.message_id);
        const position = row ? this.#messages.position(row) : 0;
        const status = first.status ?? row?.status ?? 'processing';
        return { type: 'duplicate', id: first.message_id, status, position };
      }
      if (ifBusy === 'interrupt') {
        this.#cancelWaiting(queue, message.trace.requestId);
        this.#cancelClaimed(queue, message.trace.requestId);
      }
      const length = this.#messages.length(queue);
      if (ifBusy === 'reject' && (length || this.#held(queue))) return { type: 'busy' };
      if (length >= this.#settings.maxQueueLength) return { type: 'full', length };
      this.#messages.add(message, length + 1, now);
      this.#work.count('accepted', 1);
      this.#work.added(queue, now);
      return { type: 'queued', position: length + 1 };
    });
  }

  async requeue(queue: string, messageId: string, only?: 'callback', by?: string): Promise<Requeued | undefined> {
    return this.#change(() => {
      const message = this.#messages.findIn(queue, messageId);
      if (!message) return undefined;
      if (only || message.status !== 'failed') {
        if (this.outbox.redeliver(message)) {
          this.#notice(message, 'redelivering', by);
          return { type: 'redelivering' };
        }
        return only ? { type: 'not_undelivered' } : { type: 'not_failed', status: message.status };
      }
      const length = this.#messages.length(queue);
      if (length >= this.#settings.maxQueueLength) return { type: 'full', length };
      const now = Date.now();
      this.#messages.restart(message, length + 1, now);
      this.#work.count('accepted', 1);
      this.#work.added(queue, now);
      this.#notice({ ...message, attempts: 0 }, 'requeued', by);
      return { type: 'queued', position: length + 1 };
    });
  }

  async cancel(queue: string, messageId: string, by?: string): Promise<Cancelled | undefined> {
    return this.#change(() => {
      const message = this.#messages.findIn(queue, messageId);
      switch (message?.status) {
        case undefined:
          return undefined;
        case 'queued':
          this.#finishWaiting(message, CANCELLED, by);
          this.#reindex(queue);
          return { type: 'cancelled' };
        case 'processing':
          return { type: this.#cancelClaimed(queue, by) ? 'cancelling' : 'cancelled' };
        case 'completed':
        case 'failed':
        case 'cancelled':
        case 'expired':
          return { type: 'ended', status: message.status };
      }
    });
  }

  async clear(queue: string, by?: string): Promise<number> {
    return this.#change(() => {
      const count = this.#cancelWaiting(queue, by);
      this.#reindex(queue);
      return count;
    });
  }

  async claim(queue: string): Promise<ClaimedMessage | undefined> {
    return this.#change(() => {
      const held = this.#held(queue);
      if (!held) return this.#claimNext(queue);
      if (held.owner !== this.#settings.brokerId && held.lease_until > Date.now()) return undefined;
      const message = this.#claimed(held);
      if (held.cancelled) {
        this.#finishClaimed(message);
        return this.#claimNext(queue);
      }
      const told = this.#onlyTold(held);
      if (told) message.attempts -= 1;
      const attempt = message.attempts + 1;
      const retrying = held.unused || told ? [] : [retryingEvent(message.id, attempt, TAKEN_OVER)];
      return this.#take(message, [...retrying, processingEvent(message.id, attempt)], false);
    });
  }

  async append(claim: Claim, last: number, events: readonly LogEvent[]): Promise<void> {
    this.#change(() => {
      this.#messages.log(this.#mustHold(claim), last, events);
    });
  }

  async retry(claim: Claim, last: number, reason: string): Promise<ClaimedMessage> {
    return this.#change(() => {
      const message = this.#mustHold(claim);
      const attempt = claim.attempt + 1;
      const end = this.#messages.log(message, last, [retryingEvent(message.id, attempt, reason)]);
      this.#db.run('UPDATE messages SET attempts = ? WHERE seq = ?', attempt, message.seq);
      this.#db.run('UPDATE queues SET told = ? WHERE id = ?', end, claim.queue);
      return { ...this.#claimOf({ ...message, last: end }, claim.token), attempt };
    });
  }

  async settle(
    claim: Claim,
    last: number,
    events: readonly LogEvent[],
    outcome: Outcome,
    proceed: boolean,
  ): Promise<SettledMessage> {
    return this.#change(() => {
      if (this.#messages.find(claim.messageId)?.token !== claim.token) {
        const message = this.#mustHold(claim);
        this.#messages.log(message, last, [...events, endEvent(message.id, outcome)]);
        this.#messages.end(message, claim.token, outcome);
        this.#unclaim(claim.queue);
      }
      return { ...this.#following(claim, proceed), last: last + events.length + 1 };
    });
  }

  async release(claim: Claim, handover: Handover): Promise<void> {
    this.#change(() => {
      const held = this.#held(claim.queue);
      if (held?.token !== claim.token) return;
      const called = handover.called && !this.#onlyTold(held);
      // A cancelled message is not kept waiting for its end.
      const due = Date.now() + (held.cancelled ? 0 : Math.round(handover.delayMs));
      this.#db.run(
        `UPDATE queues SET lease_until = ?, owner = '', token = 0, previous = 0, unused = ?, told = 0 WHERE id = ?`,
        due,
        called ? 0 : 1,
        claim.queue,
      );
      if (!called) this.#db.run('UPDATE messages SET attempts = attempts - 1 WHERE id = ?', claim.messageId);
      this.#work.due(claim.queue, due);
    });
  }

  async renew(claims: readonly Claim[], tell: (claim: Claim, renewal: Renewal) => void): Promise<void> {
    const renewals = this.#change(() => claims.map((claim) => [claim, this.#renew(claim)] as const));
    for (const [claim, renewal] of renewals) tell(claim, renewal);
  }

  onCancelled(callback: (claim: CancelledClaim) => void): void {
    this.#onCancelled = callback;
  }

  onNotice(callback: (notice: Notice) => void): void {
    this.#onNotice = callback;
  }

  async read(queue: string, messageId: string, after: number, limit: number): Promise<LogPage | undefined> {
    return this.#db.ask(() => {
      const message = this.#messages.findIn(queue, messageId);
      return message && this.#messages.read(message, after, limit);
    });
  }

  async message(queue: string, messageId: string): Promise<MessageState | undefined> {
    return this.#db.ask(() => {
      const message = this.#messages.findIn(queue, messageId);
      return message && this.#messages.state(message);
    });
  }

  async deadLetters(limit: number, after?: DeadLetterPlace): Promise<readonly DeadLetter[]> {
    return this.#db.ask(() => this.#messages.deadLetters(limit, after));
  }

  async discard(queue: string, messageId: string, only?: 'callback', by?: string): Promise<boolean | undefined> {
    return this.#change(() => {
      const message = this.#messages.findIn(queue, messageId);
      const discarded = message && this.#messages.discard(message, only);
      if (message && discarded) this.#notice(message, 'discarded', by);
      return discarded;
    });
  }

  async delayed(limit: number): Promise<readonly DelayedQueue[]> {
    return this.#db.ask(() => this.#messages.delayed(limit));
  }

  async announce(status: string, ttlMs: number): Promise<void> {
    this.#announced = { status, until: performance.now() + ttlMs };
  }

  async brokers(): Promise<readonly string[]> {
    return this.#announced && performance.now() < this.#announced.until ? [this.#announced.status] : [];
  }

  async queue(queue: string): Promise<QueueState> {
    return this.#db.ask(() => {
      const held = this.#held(queue);
      const processing = held && this.#claimed(held);
      return {
        processing: processing && {
          id: processing.id,
          attempt: processing.attempts,
          queuedAt: processing.queued_at,
        },
        waiting: this.#messages.waiting(queue),
        now: Date.now(),
      };
    });
  }

  async sweep(limit: number): Promise<Sweep> {
    return this.#change(() => {
      const now = Date.now();
      this.#messages.forget(now);
      for (const message of this.#messages.overdue(now - this.#settings.messageTtlMs, EXPIRE_AT_ONCE)) {
        this.#finishWaiting(message, EXPIRED);
        this.#reindex(message.queue);
      }
      return {
        due: this.#work.claimable(now, limit),
        destinations: this.outbox.due(now),
        ...this.#work.counts(now),
        complete: true,
      };
    });
  }

  keepalive({ queue, messageId }: Claim, data: string): void {
    this.#call(queue, { messageId, last: 0, events: undefined, moved: false, keepalive: data });
  }

  async watch(queue: string, onChange: (change: Change) => void): Promise<() => void> {
    const watchers = this.#watchers.get(queue) ?? new Set();
    // The same function may watch twice.
    const callback = (change: Change) => onChange(change);
    this.#watchers.set(queue, watchers.add(callback));
    return () => {
      watchers.delete(callback);
      if (!watchers.size && this.#watchers.get(queue) === watchers) this.#watchers.delete(queue);
    };
  }

  async ping(): Promise<void> {
    this.#db.ask(() => this.#db.get('SELECT value FROM counts LIMIT 1'));
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    this.#db.close();
  }

  /** What comes in a queue after a settled claim. */
  #following(claim: Claim, proceed: boolean): Omit<SettledMessage, 'last'> {
    const waiting = this.#messages.length(claim.queue) > 0;
    const held = this.#held(claim.queue);
    if (held) {
      // Only in a repeat: what this very settling claimed, or what was claimed since.
      if (held.previous !== claim.token) return { next: undefined, waiting };
      this.#prolong(claim.queue, held.token);
      return { next: this.#claimOf(this.#claimed(held), held.token), waiting: true };
    }
    if (!waiting) this.#work.idle(claim.queue);
    else if (proceed) return { next: this.#claimNext(claim.queue, claim.token), waiting };
    else this.#work.due(claim.queue, Date.now());
    return { next: undefined, waiting };
  }

  /** Takes the first waiting message, which becomes the queue's one in work. `settled`: the claim that made room for it. */
  #claimNext(queue: string, settled = 0): ClaimedMessage | undefined {
    const message = this.#firstInTime(queue);
    if (!message) {
      this.#reindex(queue);
      return undefined;
    }
    this.#work.count('waiting', -1);
    this.#work.count('processing', 1);
    const now = Date.now();
    this.#db.run(`UPDATE messages SET status = 'processing', started_at = ? WHERE seq = ?`, now, message.seq);
    return this.#take(
      { ...message, started_at: now },
      [processingEvent(message.id, message.attempts + 1)],
      true,
      settled,
    );
  }

  /** The first waiting message; those before it that have waited for too long expire. */
  #firstInTime(queue: string): MessageRow | undefined {
    for (;;) {
      const message = this.#messages.first(queue);
      if (!message || message.queued_at + this.#settings.messageTtlMs > Date.now()) return message;
      this.#finishWaiting(message, EXPIRED);
    }
  }

  /** Claims `message` as its next attempt under a new fencing token. */
  #take(message: MessageRow, events: readonly LogEvent[], moved: boolean, previous = 0): ClaimedMessage {
    const { brokerId, leaseMs } = this.#settings;
    const attempt = message.attempts + 1;
    const token = this.#work.count('token', 1);
    const until = Date.now() + leaseMs;
    this.#db.run('UPDATE messages SET attempts = ? WHERE seq = ?', attempt, message.seq);
    this.#db.run(
      'INSERT OR REPLACE INTO queues (id, message_id, owner, token, lease_until, previous) VALUES (?, ?, ?, ?, ?, ?)',
      message.queue,
      message.id,
      brokerId,
      token,
      until,
      previous,
    );
    this.#work.due(message.queue, until);
    if (attempt === 1) this.outbox.started(message);
    const last = this.#messages.log(message, message.last, events, moved);
    return this.#claimOf({ ...message, attempts: attempt, last }, token);
  }

  #held(queue: string): QueueRow | undefined {
    const sql =
      'SELECT message_id, owner, token, lease_until, previous, unused, told, cancelled FROM queues WHERE id = ?';
    return this.#db.get<QueueRow>(sql, queue);
  }

  /** The claim came no further than to say that there will be another attempt. */
  #onlyTold(held: QueueRow): boolean {
    return held.told > 0 && this.#claimed(held).last === held.told;
  }

  #claimed(held: QueueRow): MessageRow {
    const message = this.#messages.find(held.message_id);
    if (!message) throw new Error(`Message ${held.message_id} is claimed but not stored`);
    return message;
  }

  /** Somebody works under this claim: it has neither run out nor been given up. */
  #isAlive(held: QueueRow | undefined): boolean {
    return held !== undefined && held.owner !== '' && held.lease_until > Date.now();
  }

  /** The message of a claim that is still held under its token. Throws ClaimLost. */
  #mustHold(claim: Claim): MessageRow {
    const held = this.#held(claim.queue);
    if (held?.token !== claim.token) throw new ClaimLost(claim.queue, claim.token);
    return this.#claimed(held);
  }

  #renew({ queue, token }: Claim): Renewal {
    if (!this.#prolong(queue, token)) return 'lost';
    return this.#held(queue)?.cancelled ? 'cancelled' : 'renewed';
  }

  /** False when the claim is not held under this token. */
  #prolong(queue: string, token: number): boolean {
    const until = Date.now() + this.#settings.leaseMs;
    const changes = this.#db.run('UPDATE queues SET lease_until = ? WHERE id = ? AND token = ?', until, queue, token);
    if (changes) this.#work.due(queue, until);
    return changes > 0;
  }

  #unclaim(queue: string): void {
    if (this.#db.run('DELETE FROM queues WHERE id = ?', queue)) this.#work.count('processing', -1);
  }

  #cancelWaiting(queue: string, by?: string): number {
    const ids = this.#messages.waiting(queue);
    for (const { id } of ids) {
      const message = this.#messages.find(id);
      if (message) this.#finishWaiting(message, CANCELLED, by);
    }
    return ids.length;
  }

  /** Cancels the claimed message. True when the broker that works on it is to end it, false when it has ended here. */
  #cancelClaimed(queue: string, by?: string): boolean {
    const held = this.#held(queue);
    if (!held) return false;
    if (!this.#isAlive(held)) {
      this.#finishClaimed(this.#claimed(held), by);
      this.#reindex(queue);
      // Whatever waits is due at once, not when the claim would have been.
      this.#work.due(queue, Date.now());
      return false;
    }
    this.#db.run('UPDATE queues SET cancelled = 1 WHERE id = ?', queue);
    this.#notice(this.#claimed(held), 'cancelling', by);
    this.#news.push(() => this.#onCancelled({ queue, token: held.token }));
    return true;
  }

  #finishWaiting(message: MessageRow, outcome: typeof CANCELLED | typeof EXPIRED, by?: string): void {
    this.#messages.finish(message, outcome);
    this.#notice(message, outcome.status, by);
    this.#work.count('waiting', -1);
  }

  /** Ends a cancelled message that nobody works on any more. */
  #finishClaimed(message: MessageRow, by?: string): void {
    this.#messages.finish(message, CANCELLED);
    this.#notice(message, CANCELLED.status, by);
    this.#unclaim(message.queue);
  }

  /** After waiting messages were ended: a queue with nothing left to do is idle. */
  #reindex(queue: string): void {
    if (!this.#messages.first(queue) && !this.#held(queue)) this.#work.idle(queue);
  }

  /** Does all of the work or none of it, and tells of it only once it is done. */
  #change<Result>(work: () => Result): Result {
    this.#news.length = 0;
    const result = this.#db.transaction(work);
    const news = this.#news.splice(0);
    queueMicrotask(() => {
      for (const tell of news) tell();
    });
    return result;
  }

  #notice({ queue, id, attempts, trace }: MessageRow, deed: Notice['deed'], by: string | undefined): void {
    this.#news.push(() =>
      this.#onNotice({ queue, messageId: id, deed, attempt: attempts, trace: readTrace(trace), by }),
    );
  }

  #tell(queue: string, change: Change): void {
    if (this.#watchers.has(queue)) this.#news.push(() => this.#call(queue, change));
  }

  #call(queue: string, change: Change): void {
    for (const watcher of this.#watchers.get(queue) ?? []) watcher(change);
  }

  #claimOf(message: MessageRow, token: number): ClaimedMessage {
    return {
      queue: message.queue,
      messageId: message.id,
      token,
      attempt: message.attempts,
      payload: this.#messages.payload(message),
      trace: readTrace(message.trace),
      last: message.last,
      waitedMs: (message.started_at ?? message.queued_at) - message.queued_at,
      callback: this.outbox.of(message),
    };
  }
}
