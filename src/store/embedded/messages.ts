import type { Outcome } from '../../../machines/events.ts';
import { writeTrace } from '../../trace.ts';
import { endEvent, queuedEvent } from '../events.ts';
import {
  type Change,
  type DeadLetter,
  type DeadLetterPlace,
  type DelayedQueue,
  type LogEvent,
  type LogPage,
  type MessageState,
  type MessageStatus,
  type NewMessage,
  newestFirst,
  PAGE_BYTES,
  type StoreSettings,
} from '../store.ts';
import type { Database } from './database.ts';
import type { EmbeddedOutbox } from './outbox.ts';
import type { Work } from './work.ts';

export type MessageRow = {
  seq: number;
  id: string;
  queue: string;
  status: MessageStatus;
  position: number;
  queued_at: number;
  started_at: number | null;
  ended_at: number | null;
  attempts: number;
  first: number;
  trace: string;
  last: number;
  token: number;
  code: string | null;
  error: string | null;
};

/** Of those waiting longest so many are looked at for each queue that is asked for: one may have most of them. */
const WAITING_LOOKED_AT = 100;
/** So many rows go in one sweep at most (1000 take 2 ms), so that a sweep never holds the thread for long. */
const FORGET_AT_ONCE = 5000;

/** The messages of all queues, their logs and deduplication keys. */
export class Messages {
  readonly #db: Database;
  readonly #settings: StoreSettings;
  readonly #work: Work;
  readonly #outbox: EmbeddedOutbox;
  readonly #tell: (queue: string, change: Change) => void;

  constructor(
    db: Database,
    settings: StoreSettings,
    work: Work,
    outbox: EmbeddedOutbox,
    tell: (queue: string, change: Change) => void,
  ) {
    this.#db = db;
    this.#work = work;
    this.#outbox = outbox;
    this.#settings = settings;
    this.#tell = tell;
  }

  find(id: string): MessageRow | undefined {
    return this.#db.get<MessageRow>('SELECT * FROM messages WHERE id = ?', id);
  }

  /** A message of this queue, and of no other. One that has outlived its retention is gone, swept up or not. */
  findIn(queue: string, id: string): MessageRow | undefined {
    const sql = 'SELECT * FROM messages WHERE id = ? AND queue = ? AND (expires_at IS NULL OR expires_at > ?)';
    return this.#db.get<MessageRow>(sql, id, queue, Date.now());
  }

  /** What the worker is sent. */
  payload({ id }: MessageRow): string {
    const sql = 'SELECT payload FROM payloads WHERE message = ?';
    return this.#db.get<{ payload: string }>(sql, id)?.payload ?? '';
  }

  first(queue: string): MessageRow | undefined {
    const sql = `SELECT * FROM messages WHERE queue = ? AND status = 'queued' ORDER BY seq LIMIT 1`;
    return this.#db.get<MessageRow>(sql, queue);
  }

  waiting(queue: string): { id: string; queuedAt: number }[] {
    const sql = `SELECT id, queued_at AS queuedAt FROM messages WHERE queue = ? AND status = 'queued' ORDER BY seq`;
    return this.#db.all(sql, queue);
  }

  length(queue: string): number {
    const sql = `SELECT count(*) AS n FROM messages WHERE queue = ? AND status = 'queued'`;
    return this.#db.get<{ n: number }>(sql, queue)?.n ?? 0;
  }

  /** Place among the waiting, 0 for a message that does not wait. */
  position({ queue, seq, status }: MessageRow): number {
    if (status !== 'queued') return 0;
    const sql = `SELECT count(*) AS n FROM messages WHERE queue = ? AND status = 'queued' AND seq <= ?`;
    return this.#db.get<{ n: number }>(sql, queue, seq)?.n ?? 0;
  }

  add(message: NewMessage, position: number, now: number): void {
    this.#db.run(
      `INSERT INTO messages (id, queue, status, position, trace, queued_at) VALUES (?, ?, 'queued', ?, ?, ?)`,
      message.id,
      message.queue,
      position,
      writeTrace(message.trace),
      now,
    );
    this.#db.run('INSERT INTO payloads (message, payload) VALUES (?, ?)', message.id, message.payload);
    if (message.callback) this.#outbox.add(message.id, message.queue, message.callback);
    for (const key of message.deduplicationKeys) {
      this.#db.run(
        'INSERT OR REPLACE INTO deduplication (queue, key, message_id, expires_at) VALUES (?, ?, ?, ?)',
        message.queue,
        key,
        message.id,
        now + this.#settings.deduplicationMs,
      );
    }
  }

  /** The message that was accepted under one of these keys, and how it ended if it has. */
  duplicate(queue: string, keys: readonly string[], now: number) {
    for (const key of keys) {
      const first = this.#db.get<{ message_id: string; status: MessageStatus | null }>(
        'SELECT message_id, status FROM deduplication WHERE queue = ? AND key = ? AND expires_at > ?',
        queue,
        key,
        now,
      );
      if (first) return first;
    }
    return undefined;
  }

  /** A failed message begins anew, at the end of its queue: under a new `seq`, with a new log that counts on. */
  restart(message: MessageRow, position: number, now: number): void {
    this.#db.run('DELETE FROM events WHERE message = ?', message.seq);
    this.#db.run(
      `UPDATE messages SET seq = (SELECT max(seq) + 1 FROM messages), status = 'queued', position = ?, queued_at = ?,
         started_at = NULL, ended_at = NULL, attempts = 0, first = last + 1, last = last + 1, token = 0, code = NULL, error = NULL, expires_at = NULL
       WHERE seq = ?`,
      position,
      now,
      message.seq,
    );
    this.#db.run('UPDATE deduplication SET status = NULL WHERE message_id = ?', message.id);
    this.#db.run('DELETE FROM discarded WHERE message = ?', message.id);
    this.#outbox.restarted(message);
  }

  /** Adds events after `last` and tells the watchers; answers the new last id. */
  log(message: MessageRow, last: number, events: readonly LogEvent[], moved = false): number {
    const end = last + events.length;
    if (message.last !== end || !events.length) {
      if (message.last !== last) throw new Error(`Log of ${message.id} is at ${message.last}, not at ${last}`);
      let id = last;
      for (const { name, data } of events) {
        id += 1;
        this.#db.run('INSERT INTO events (message, id, name, data) VALUES (?, ?, ?, ?)', message.seq, id, name, data);
      }
      this.#db.run('UPDATE messages SET last = ? WHERE seq = ?', end, message.seq);
    }
    this.#tell(message.queue, { messageId: message.id, last: end, events, moved });
    return end;
  }

  /** Ends a message whose log is complete; it is kept for its retention. `token`: the claim it was settled under, else 0. */
  end(message: MessageRow, token: number, outcome: Outcome): void {
    const now = Date.now();
    const { retentionMs, deadLetterRetentionMs } = this.#settings;
    const failure = outcome.status === 'completed' ? undefined : outcome;
    const failed = outcome.status === 'failed';
    this.#db.run(
      `UPDATE messages SET status = ?, token = ?, ended_at = ?, expires_at = ?, code = ?, error = ? WHERE seq = ?`,
      outcome.status,
      token,
      now,
      this.#outbox.ended(message, now + (failed ? deadLetterRetentionMs : retentionMs)),
      failure?.code ?? null,
      failure?.error ?? null,
      message.seq,
    );
    this.#work.count(outcome.status, 1);
    // A failed message may be tried again.
    if (!failed) this.#db.run('DELETE FROM payloads WHERE message = ?', message.id);
    this.#db.run('UPDATE deduplication SET status = ? WHERE message_id = ?', outcome.status, message.id);
  }

  /** Ends a message that nobody works on, with its terminal event. */
  finish(message: MessageRow, outcome: Outcome): void {
    this.log(message, message.last, [endEvent(message.id, outcome)], true);
    this.end(message, 0, outcome);
  }

  read(message: MessageRow, after: number, limit: number): LogPage {
    const first = after < message.first && limit > 0 ? [queuedEvent(message.id, message.position)] : [];
    const rows = this.#db.each<LogEvent>(
      'SELECT name, data FROM events WHERE message = ? AND id > ? ORDER BY id LIMIT ?',
      message.seq,
      Math.max(after, message.first),
      Math.max(0, limit - first.length),
    );
    const rest: LogEvent[] = [];
    let bytes = 0;
    for (const row of rows) {
      rest.push(row);
      bytes += row.data.length;
      if (bytes >= PAGE_BYTES) break;
    }
    return {
      status: message.status,
      position: this.position(message),
      after: Math.max(after, message.first - 1),
      events: [...first, ...rest],
      last: message.last,
    };
  }

  state(message: MessageRow): MessageState {
    return {
      id: message.id,
      status: message.status,
      position: this.position(message),
      attempts: message.attempts,
      queuedAt: message.queued_at,
      startedAt: message.started_at ?? undefined,
      endedAt: message.ended_at ?? undefined,
      failure: message.code === null ? undefined : { code: message.code, error: message.error ?? '' },
      last: message.last,
      callback: this.#outbox.state(message),
    };
  }

  /** Those that have waited since before `since`, oldest first. */
  overdue(since: number, limit: number): MessageRow[] {
    const sql = `SELECT * FROM messages WHERE status = 'queued' AND queued_at <= ? ORDER BY queued_at LIMIT ?`;
    return this.#db.all<MessageRow>(sql, since, limit);
  }

  deadLetters(limit: number, after?: DeadLetterPlace): DeadLetter[] {
    const { endedAt, messageId } = after ?? { endedAt: Number.MAX_SAFE_INTEGER, messageId: '' };
    const failed = this.#db.all<DeadLetter>(
      `SELECT 'message' AS kind, queue, id AS messageId, attempts, queued_at AS queuedAt, ended_at AS endedAt, code, error
         FROM messages
         WHERE status = 'failed' AND (ended_at, id) < (?, ?) AND (expires_at IS NULL OR expires_at > ?)
           AND id NOT IN (SELECT message FROM discarded)
         ORDER BY ended_at DESC, id DESC LIMIT ?`,
      endedAt,
      messageId,
      Date.now(),
      limit,
    );
    const undelivered = this.#db.all<DeadLetter>(
      `SELECT 'callback' AS kind, m.queue, m.id AS messageId, c.attempts, queued_at AS queuedAt, given_up_at AS endedAt,
           'callback_undelivered' AS code, c.error
         FROM callbacks c JOIN messages m ON m.id = c.message
         WHERE c.status = 'undelivered' AND (given_up_at, c.message) < (?, ?) AND expires_at > ?
         ORDER BY given_up_at DESC, c.message DESC LIMIT ?`,
      endedAt,
      messageId,
      Date.now(),
      limit,
    );
    return newestFirst([...failed, ...undelivered]).slice(0, limit);
  }

  /** Takes it out of the dead letters, with its callback or that alone; false when it is none. */
  discard(message: MessageRow, only?: 'callback'): boolean {
    const undelivered = this.#outbox.discard(message);
    const failed = message.status === 'failed' && !only;
    if (failed) this.#db.run('INSERT OR IGNORE INTO discarded (message) VALUES (?)', message.id);
    return failed || undelivered;
  }

  /** The queues whose first message waits longest; fewer where some are so long that the others lie far behind. */
  delayed(limit: number): DelayedQueue[] {
    const now = Date.now();
    const queues = new Map<string, number>();
    const rows = this.#db.each<{ queue: string; queued_at: number }>(
      `SELECT queue, queued_at FROM messages WHERE status = 'queued' ORDER BY queued_at, seq LIMIT ?`,
      limit * WAITING_LOOKED_AT,
    );
    for (const { queue, queued_at } of rows) {
      if (queues.size >= limit) break;
      if (!queues.has(queue)) queues.set(queue, queued_at);
    }
    return [...queues].map(([queue, queuedAt]) => ({
      queue,
      waitMs: Math.max(0, now - queuedAt),
      length: this.length(queue),
    }));
  }

  /** Drops what has outlived its retention. */
  forget(now: number): void {
    const old = this.#db.all<{ seq: number; id: string }>(
      'SELECT seq, id FROM messages WHERE expires_at <= ? LIMIT ?',
      now,
      FORGET_AT_ONCE,
    );
    let room = FORGET_AT_ONCE;
    for (const { seq, id } of old) {
      room -= this.#db.run(
        'DELETE FROM events WHERE (message, id) IN (SELECT message, id FROM events WHERE message = ? LIMIT ?)',
        seq,
        room,
      );
      if (room <= 0) break;
      room -= this.#db.run('DELETE FROM payloads WHERE message = ?', id);
      this.#outbox.forget(id);
      this.#db.run('DELETE FROM discarded WHERE message = ?', id);
      room -= this.#db.run('DELETE FROM messages WHERE seq = ?', seq);
    }
    this.#db.run(
      `DELETE FROM deduplication
         WHERE (queue, key) IN (SELECT queue, key FROM deduplication WHERE expires_at <= ? LIMIT ?)`,
      now,
      FORGET_AT_ONCE,
    );
  }
}
