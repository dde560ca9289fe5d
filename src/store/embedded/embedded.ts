import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Claim, Outcome } from '../../../machines/events.ts';
import { ClaimLost, StoreUnavailable } from '../../errors.ts';
import { endEvent, processingEvent, queuedEvent, retryingEvent, TAKEN_OVER } from '../events.ts';
import type {
  Change,
  ClaimedMessage,
  Counts,
  Enqueued,
  LogEvent,
  LogPage,
  MessageStatus,
  NewMessage,
  QueueState,
  SettledMessage,
  Store,
  StoreSettings,
  Sweep,
} from '../store.ts';

type MessageRow = {
  seq: number;
  id: string;
  queue: string;
  status: MessageStatus;
  position: number;
  payload: string;
  queued_at: number;
  attempts: number;
  last: number;
  token: number;
};
type QueueRow = { message_id: string; owner: string; token: number; lease_until: number; previous: number };

/** Rows of at most this many expired messages go in one sweep, so that a sweep never holds the thread for long. */
const FORGET_AT_ONCE = 1000;

/**
 * The store in one SQLite file, for one broker: it takes the file for itself and refuses a second one.
 * In WAL mode a commit survives the death of the process; with `synchronous = FULL` also of the machine.
 *
 * Calls are synchronous inside (17 µs an enqueue) and asynchronous outside, as the port asks.
 */
export class EmbeddedStore implements Store {
  readonly kind = 'embedded';
  readonly #db: DatabaseSync;
  readonly #settings: StoreSettings;
  readonly #statements = new Map<string, StatementSync>();
  readonly #watchers = new Map<string, Set<(change: Change) => void>>();

  /** Opens or makes the file in `directory`. Throws if another process has it. */
  constructor(directory: string, settings: StoreSettings) {
    mkdirSync(directory, { recursive: true });
    const file = join(directory, 'broker.sqlite');
    this.#settings = settings;
    this.#db = new DatabaseSync(file, { timeout: 1000 });
    try {
      this.#db.exec(`
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
      `);
      this.#db.exec(readFileSync(new URL('schema.sql', import.meta.url), 'utf8'));
    } catch (error) {
      this.#db.close();
      throw new Error(
        `The embedded store ${file} cannot be opened (${error instanceof Error ? error.message : error}). ` +
          'If another broker uses it, stop that one, or give this one a DATA_DIR of its own or a REDIS_URL.',
        { cause: error },
      );
    }
    // The file is ours alone, so whoever held its claims is gone.
    this.#db.exec(`
      UPDATE queues SET lease_until = 0;
      UPDATE work SET due = 0;
    `);
  }

  async enqueue(message: NewMessage): Promise<Enqueued> {
    return this.#transaction(() => {
      const now = Date.now();
      const known = this.#get<{ position: number }>('SELECT position FROM messages WHERE id = ?', message.id);
      if (known) return { type: 'queued', position: known.position };
      for (const key of message.deduplicationKeys) {
        const first = this.#get<{ message_id: string; status: MessageStatus | null }>(
          'SELECT message_id, status FROM deduplication WHERE queue = ? AND key = ? AND expires_at > ?',
          message.queue,
          key,
          now,
        );
        if (first) return this.#duplicate(message.queue, first.message_id, first.status);
      }
      const length = this.#length(message.queue);
      if (length >= this.#settings.maxQueueLength) return { type: 'full', length };

      const position = length + 1;
      this.#run(
        `INSERT INTO messages (id, queue, status, position, payload, queued_at) VALUES (?, ?, 'queued', ?, ?, ?)`,
        message.id,
        message.queue,
        position,
        message.payload,
        now,
      );
      for (const key of message.deduplicationKeys) {
        this.#run(
          'INSERT OR REPLACE INTO deduplication (queue, key, message_id, expires_at) VALUES (?, ?, ?, ?)',
          message.queue,
          key,
          message.id,
          now + this.#settings.deduplicationMs,
        );
      }
      const { changes } = this.#run('INSERT OR IGNORE INTO work (queue, due) VALUES (?, ?)', message.queue, now);
      if (changes) this.#count('queues', 1);
      this.#count('waiting', 1);
      return { type: 'queued', position };
    });
  }

  async claim(queue: string): Promise<ClaimedMessage | undefined> {
    return this.#transaction(() => {
      const held = this.#held(queue);
      if (!held) return this.#claimNext(queue);
      if (held.owner !== this.#settings.brokerId && held.lease_until > Date.now()) return undefined;
      const message = this.#message(held.message_id);
      const attempt = message.attempts + 1;
      const events = [retryingEvent(message.id, attempt, TAKEN_OVER), processingEvent(message.id, attempt)];
      return this.#take(message, events, false);
    });
  }

  async append(claim: Claim, last: number, events: readonly LogEvent[]): Promise<void> {
    this.#transaction(() => {
      this.#mustHold(claim);
      this.#log(this.#message(claim.messageId), last, events);
    });
  }

  async retry(claim: Claim, last: number, reason: string): Promise<ClaimedMessage> {
    return this.#transaction(() => {
      this.#mustHold(claim);
      const message = this.#message(claim.messageId);
      const attempt = claim.attempt + 1;
      const end = this.#log(message, last, [retryingEvent(message.id, attempt, reason)]);
      this.#run('UPDATE messages SET attempts = ? WHERE seq = ?', attempt, message.seq);
      return { ...claim, attempt, payload: message.payload, last: end, queuedAt: message.queued_at };
    });
  }

  async settle(
    claim: Claim,
    last: number,
    events: readonly LogEvent[],
    outcome: Outcome,
    proceed: boolean,
  ): Promise<SettledMessage> {
    return this.#transaction(() => {
      const settled = this.#get('SELECT 1 FROM messages WHERE id = ? AND token = ?', claim.messageId, claim.token);
      if (!settled) {
        this.#mustHold(claim);
        const message = this.#message(claim.messageId);
        this.#log(message, last, [...events, endEvent(message.id, outcome)]);
        this.#end(message, claim.token, outcome);
        this.#run('DELETE FROM queues WHERE id = ?', claim.queue);
        this.#count('processing', -1);
      }
      return { ...this.#following(claim, proceed), last: last + events.length + 1 };
    });
  }

  async release(claim: Claim): Promise<void> {
    this.#transaction(() => {
      const { changes } = this.#run(
        'UPDATE queues SET lease_until = 0, token = 0, previous = 0 WHERE id = ? AND token = ?',
        claim.queue,
        claim.token,
      );
      if (changes) this.#due(claim.queue, Date.now());
    });
  }

  async renew(claims: readonly Claim[]): Promise<readonly Claim[]> {
    return this.#transaction(() => {
      const until = Date.now() + this.#settings.leaseMs;
      return claims.filter((claim) => !this.#prolong(claim.queue, claim.token, until));
    });
  }

  async read(queue: string, messageId: string, after: number, limit: number): Promise<LogPage | undefined> {
    return this.#ask(() => {
      const message = this.#get<MessageRow>('SELECT * FROM messages WHERE id = ? AND queue = ?', messageId, queue);
      if (!message) return undefined;
      const first = after < 1 && limit > 0 ? [queuedEvent(message.id, message.position)] : [];
      const rest = this.#all<LogEvent>(
        'SELECT name, data FROM events WHERE message = ? AND id > ? ORDER BY id LIMIT ?',
        message.seq,
        Math.max(after, 1),
        Math.max(0, limit - first.length),
      );
      return {
        status: message.status,
        position: message.status === 'queued' ? this.#position(queue, messageId) : 0,
        events: [...first, ...rest],
        last: message.last,
      };
    });
  }

  async queue(queue: string): Promise<QueueState> {
    return this.#ask(() => {
      const held = this.#held(queue);
      const processing = held && this.#message(held.message_id);
      const waiting = this.#all<{ id: string; queuedAt: number }>(
        `SELECT id, queued_at AS queuedAt FROM messages WHERE queue = ? AND status = 'queued' ORDER BY seq`,
        queue,
      );
      return {
        processing: processing && {
          id: processing.id,
          attempt: processing.attempts,
          queuedAt: processing.queued_at,
        },
        waiting,
        now: Date.now(),
      };
    });
  }

  async sweep(limit: number): Promise<Sweep> {
    return this.#transaction(() => {
      const now = Date.now();
      this.#forget(now);
      const due = this.#all<{ queue: string }>(
        'SELECT queue FROM work WHERE due <= ? ORDER BY due LIMIT ?',
        now,
        limit,
      );
      return { due: due.map((row) => row.queue), counts: this.#counts(now) };
    });
  }

  async watch(queue: string, onChange: (change: Change) => void): Promise<() => void> {
    const watchers = this.#watchers.get(queue) ?? new Set();
    // The same function may watch twice.
    const callback = (change: Change) => onChange(change);
    this.#watchers.set(queue, watchers.add(callback));
    return () => {
      watchers.delete(callback);
      if (!watchers.size) this.#watchers.delete(queue);
    };
  }

  async ping(): Promise<void> {
    this.#ask(() => this.#get('SELECT value FROM counts LIMIT 1'));
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  /** The first answer for a message that came again. */
  #duplicate(queue: string, id: string, ended: MessageStatus | null): Enqueued {
    const position = this.#position(queue, id);
    return { type: 'duplicate', id, status: ended ?? (position ? 'queued' : 'processing'), position };
  }

  /** What comes in a queue after a settled claim. */
  #following(claim: Claim, proceed: boolean): Omit<SettledMessage, 'last'> {
    const waiting = this.#length(claim.queue) > 0;
    const held = this.#held(claim.queue);
    if (held) {
      // Only in a repeat: what this very settling claimed, or what was claimed since.
      if (held.previous !== claim.token) return { next: undefined, waiting };
      this.#prolong(claim.queue, held.token, Date.now() + this.#settings.leaseMs);
      return { next: claimed(this.#message(held.message_id), held.token), waiting: true };
    }
    if (!waiting) this.#idle(claim.queue);
    else if (proceed) return { next: this.#claimNext(claim.queue, claim.token), waiting };
    else this.#due(claim.queue, Date.now());
    return { next: undefined, waiting };
  }

  /** Takes the first waiting message, which becomes the queue's one in work. `settled`: the claim that made room for it. */
  #claimNext(queue: string, settled = 0): ClaimedMessage | undefined {
    const message = this.#get<MessageRow>(
      `SELECT * FROM messages WHERE queue = ? AND status = 'queued' ORDER BY seq LIMIT 1`,
      queue,
    );
    if (!message) return undefined;
    this.#run(`UPDATE messages SET status = 'processing' WHERE seq = ?`, message.seq);
    this.#count('waiting', -1);
    this.#count('processing', 1);
    return this.#take(message, [processingEvent(message.id, message.attempts + 1)], true, settled);
  }

  /** Claims `message` as its next attempt under a new fencing token. */
  #take(message: MessageRow, events: readonly LogEvent[], moved: boolean, previous = 0): ClaimedMessage {
    const { brokerId, leaseMs } = this.#settings;
    const attempt = message.attempts + 1;
    const token = this.#count('token', 1);
    const until = Date.now() + leaseMs;
    this.#run('UPDATE messages SET attempts = ? WHERE seq = ?', attempt, message.seq);
    this.#run(
      'INSERT OR REPLACE INTO queues (id, message_id, owner, token, lease_until, previous) VALUES (?, ?, ?, ?, ?, ?)',
      message.queue,
      message.id,
      brokerId,
      token,
      until,
      previous,
    );
    this.#due(message.queue, until);
    const last = this.#log(message, message.last, events, moved);
    return claimed({ ...message, attempts: attempt, last }, token);
  }

  /** Adds events after `last` and tells the watchers; answers the new last id. */
  #log(message: MessageRow, last: number, events: readonly LogEvent[], moved = false): number {
    const end = last + events.length;
    if (message.last !== end || !events.length) {
      if (message.last !== last) throw new Error(`Log of ${message.id} is at ${message.last}, not at ${last}`);
      let id = last;
      for (const event of events) {
        id += 1;
        this.#run(
          'INSERT INTO events (message, id, name, data) VALUES (?, ?, ?, ?)',
          message.seq,
          id,
          event.name,
          event.data,
        );
      }
      this.#run('UPDATE messages SET last = ? WHERE seq = ?', end, message.seq);
    }
    this.#tell(message.queue, { messageId: message.id, last: end, events, moved });
    return end;
  }

  #end(message: MessageRow, token: number, outcome: Outcome): void {
    const now = Date.now();
    const failure = outcome.status === 'completed' ? undefined : outcome;
    this.#run(
      `UPDATE messages SET status = ?, token = ?, ended_at = ?, expires_at = ?, code = ?, error = ?, payload = NULL WHERE seq = ?`,
      outcome.status,
      token,
      now,
      now + this.#settings.retentionMs,
      failure?.code ?? null,
      failure?.error ?? null,
      message.seq,
    );
    this.#run('UPDATE deduplication SET status = ? WHERE message_id = ?', outcome.status, message.id);
  }

  /** Drops what has outlived its retention. */
  #forget(now: number): void {
    const old = this.#all<{ seq: number }>(
      'SELECT seq FROM messages WHERE expires_at <= ? LIMIT ?',
      now,
      FORGET_AT_ONCE,
    );
    for (const { seq } of old) {
      this.#run('DELETE FROM events WHERE message = ?', seq);
      this.#run('DELETE FROM messages WHERE seq = ?', seq);
    }
    this.#run(
      `DELETE FROM deduplication
         WHERE (queue, key) IN (SELECT queue, key FROM deduplication WHERE expires_at <= ? LIMIT ?)`,
      now,
      FORGET_AT_ONCE,
    );
  }

  #counts(now: number): Counts {
    const value = new Map(
      this.#all<{ name: string; value: number }>('SELECT name, value FROM counts').map((row) => [row.name, row.value]),
    );
    const oldest = this.#get<{ queued_at: number }>(
      `SELECT queued_at FROM messages WHERE status = 'queued' ORDER BY seq LIMIT 1`,
    );
    return {
      activeQueues: value.get('queues') ?? 0,
      waiting: value.get('waiting') ?? 0,
      processing: value.get('processing') ?? 0,
      oldestWaitMs: oldest ? Math.max(0, now - oldest.queued_at) : 0,
    };
  }

  #held(queue: string): QueueRow | undefined {
    return this.#get<QueueRow>(
      'SELECT message_id, owner, token, lease_until, previous FROM queues WHERE id = ?',
      queue,
    );
  }

  /** False when the claim is not held under this token. */
  #prolong(queue: string, token: number, until: number): boolean {
    const { changes } = this.#run('UPDATE queues SET lease_until = ? WHERE id = ? AND token = ?', until, queue, token);
    if (changes) this.#due(queue, until);
    return changes > 0;
  }

  #mustHold(claim: Claim): void {
    if (this.#held(claim.queue)?.token !== claim.token) throw new ClaimLost(claim.queue, claim.token);
  }

  #message(id: string): MessageRow {
    const message = this.#get<MessageRow>('SELECT * FROM messages WHERE id = ?', id);
    if (!message) throw new Error(`Message ${id} is claimed but not stored`);
    return message;
  }

  #length(queue: string): number {
    return (
      this.#get<{ n: number }>(`SELECT count(*) AS n FROM messages WHERE queue = ? AND status = 'queued'`, queue)?.n ??
      0
    );
  }

  /** Place among the waiting, 0 for a message that does not wait. */
  #position(queue: string, id: string): number {
    const row = this.#get<{ n: number }>(
      `SELECT count(*) AS n FROM messages WHERE queue = ? AND status = 'queued' AND seq <=
         (SELECT seq FROM messages WHERE id = ? AND status = 'queued')`,
      queue,
      id,
    );
    return row?.n ?? 0;
  }

  #due(queue: string, at: number): void {
    this.#run('UPDATE work SET due = ? WHERE queue = ?', at, queue);
  }

  #idle(queue: string): void {
    const { changes } = this.#run('DELETE FROM work WHERE queue = ?', queue);
    if (changes) this.#count('queues', -1);
  }

  #count(name: 'queues' | 'waiting' | 'processing' | 'token', by: number): number {
    return (
      this.#get<{ value: number }>('UPDATE counts SET value = value + ? WHERE name = ? RETURNING value', by, name)
        ?.value ?? 0
    );
  }

  #tell(queue: string, change: Change): void {
    const watchers = this.#watchers.get(queue);
    if (!watchers) return;
    queueMicrotask(() => {
      for (const watcher of watchers) watcher(change);
    });
  }

  #transaction<Result>(work: () => Result): Result {
    return this.#ask(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        this.#db.exec('COMMIT');
        return result;
      } catch (error) {
        if (this.#db.isOpen && this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** The one place where what goes wrong with SQLite becomes StoreUnavailable. */
  #ask<Answer>(work: () => Answer): Answer {
    try {
      return work();
    } catch (error) {
      throw isNotNow(error) ? new StoreUnavailable(error) : error;
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: (string | number | null)[]) {
    return this.#statement(sql).run(...values);
  }

  // node:sqlite types a row as a record of column values; the row types here mirror schema.sql.
  #get<Row>(sql: string, ...values: (string | number | null)[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  #all<Row>(sql: string, ...values: (string | number | null)[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }
}

/** SQLite's result codes (https://sqlite.org/rescode.html) that say "not now": busy, locked, read-only, I/O error, disk full. */
const NOT_NOW = new Set([5, 6, 8, 10, 13]);

function isNotNow(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  if (error.code === 'ERR_INVALID_STATE') return true;
  return 'errcode' in error && typeof error.errcode === 'number' && NOT_NOW.has(error.errcode & 0xff);
}

function claimed(message: MessageRow, token: number): ClaimedMessage {
  return {
    queue: message.queue,
    messageId: message.id,
    token,
    attempt: message.attempts,
    payload: message.payload,
    last: message.last,
    queuedAt: message.queued_at,
  };
}
