import type { Outcome } from '../../../machines/events.ts';
import { writeTrace } from '../../trace.ts';
import { endEvent } from '../events.ts';
import type { LogEvent, LogPage, MessageState, MessageStatus, NewMessage, StoreSettings } from '../store.ts';
import type { Counters } from './counters.ts';
import type { Database } from './database.ts';
import { Deduplication } from './deduplication.ts';
import type { Log } from './log.ts';
import type { EmbeddedOutbox } from './outbox.ts';

/** A row of `messages`. */
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
  last: number;
  code: string | null;
  error: string | null;
  keys: string | null;
  calls_back: number;
  trace: string;
  payload: string | null;
  due: number | null;
  owner: string;
  token: number;
  previous: number;
  unused: number;
  told: number;
  cancelled: number;
};

/** A payload of more characters has a row of its own. */
const LARGE_CHARS = 2000;
/** Of those waiting longest so many are looked at for each queue that is asked for: one may have most of them. */
const WAITING_LOOKED_AT = 100;
/** So many rows go at once: that takes 2 ms, in which nothing else is done. */
const FORGET_AT_ONCE = 1000;

/** Of so many queues at most it is remembered how long they are. */
const REMEMBERED = 10_000;

/** The messages of all queues, with all that is theirs, from their acceptance until they are forgotten. */
export class Messages {
  readonly #db: Database;
  readonly #settings: StoreSettings;
  readonly #counters: Counters;
  readonly #log: Log;
  readonly #outbox: EmbeddedOutbox;
  readonly keys: Deduplication;
  /** How many messages of a queue have not ended, where that has been asked for. */
  readonly #live = new Map<string, number>();

  constructor(db: Database, settings: StoreSettings, counters: Counters, log: Log, outbox: EmbeddedOutbox) {
    this.#db = db;
    this.#settings = settings;
    this.#counters = counters;
    this.#log = log;
    this.#outbox = outbox;
    this.keys = new Deduplication(db, settings.deduplicationMs);
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
  payload({ seq, payload }: MessageRow): string {
    if (payload !== null) return payload;
    const sql = 'SELECT payload FROM payloads WHERE message = ?';
    return this.#db.get<{ payload: string }>(sql, seq)?.payload ?? '';
  }

  /** How many messages of the queue have not ended. */
  live(queue: string): number {
    const known = this.#live.get(queue);
    if (known !== undefined) return known;
    const sql = 'SELECT count(*) AS n FROM messages WHERE queue = ? AND ended_at IS NULL';
    const live = this.#db.get<{ n: number }>(sql, queue)?.n ?? 0;
    if (this.#live.size >= REMEMBERED) this.#live.clear();
    this.#live.set(queue, live);
    return live;
  }

  /** Changes were undone: what is remembered may be what they had made of it. */
  undone(): void {
    this.#live.clear();
  }

  waiting(queue: string): MessageRow[] {
    const sql = `SELECT * FROM messages WHERE queue = ? AND ended_at IS NULL AND status = 'queued' ORDER BY seq`;
    return this.#db.all(sql, queue);
  }

  /** Place among the waiting, 0 for a message that does not wait. */
  position({ queue, seq, status }: MessageRow): number {
    if (status !== 'queued') return 0;
    const sql = `SELECT count(*) AS n FROM messages WHERE queue = ? AND ended_at IS NULL AND status = 'queued' AND seq <= ?`;
    return this.#db.get<{ n: number }>(sql, queue, seq)?.n ?? 0;
  }

  /** Puts a message at the end of its queue. `due`: claimable from then on, for the first of a queue; else null. */
  add(message: NewMessage, position: number, due: number | null, now: number): void {
    const { id, queue, payload, callback, deduplicationKeys, trace } = message;
    const isLarge = payload.length > LARGE_CHARS;
    this.#db.run(
      `INSERT INTO messages (id, queue, status, position, queued_at, keys, calls_back, trace, payload, due)
         VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?)`,
      id,
      queue,
      position,
      now,
      deduplicationKeys.length ? JSON.stringify(deduplicationKeys) : null,
      callback ? 1 : 0,
      writeTrace(trace),
      isLarge ? null : payload,
      due,
    );
    if (isLarge) this.#db.run('INSERT INTO payloads SELECT seq, ? FROM messages WHERE id = ?', payload, id);
    if (callback) this.#outbox.add(id, queue, callback);
    this.keys.add(message, now);
    this.#accepted(queue, due);
  }

  /** A failed message begins anew, at the end of its queue: under a new `seq`, with a new log that counts on. */
  restart(message: MessageRow, position: number, due: number | null, now: number): void {
    const { seq, id } = message;
    this.#db.run('DELETE FROM log WHERE message = ?', seq);
    this.#db.run('UPDATE payloads SET message = (SELECT max(seq) + 1 FROM messages) WHERE message = ?', seq);
    this.#db.run(
      `UPDATE messages SET seq = (SELECT max(seq) + 1 FROM messages), status = 'queued', position = ?, queued_at = ?,
         due = ?, started_at = NULL, ended_at = NULL, attempts = 0, first = last + 1, last = last + 1, token = 0,
         owner = '', code = NULL, error = NULL, expires_at = NULL
       WHERE seq = ?`,
      position,
      now,
      due,
      seq,
    );
    this.keys.note(message, null);
    this.#db.run('DELETE FROM discarded WHERE message = ?', id);
    if (message.calls_back) this.#outbox.restarted(message);
    this.#accepted(message.queue, due);
  }

  /** Adds events to the log, after `last`. */
  append(message: MessageRow, last: number, events: readonly LogEvent[]): void {
    message.last = this.#log.add(message, last, events);
    this.#db.run('UPDATE messages SET last = ? WHERE seq = ?', message.last, message.seq);
  }

  /**
   * Ends a message after `events`, which follow `last` in its log; it is kept for its retention. `token`: the claim it was
   * settled under; 0: nobody works on it.
   */
  end(message: MessageRow, token: number, last: number, events: readonly LogEvent[], outcome: Outcome): void {
    const { seq, id, status, payload } = message;
    const now = Date.now();
    const { retentionMs, deadLetterRetentionMs } = this.#settings;
    const failed = outcome.status === 'failed';
    const failure = outcome.status === 'completed' ? undefined : outcome;
    const end = this.#log.add(message, last, [...events, endEvent(id, outcome)], !token);
    const expiresAt = now + (failed ? deadLetterRetentionMs : retentionMs);
    this.#db.run(
      `UPDATE messages SET status = ?, token = ?, last = ?, ended_at = ?, expires_at = ?, code = ?, error = ?, payload = ?,
         due = NULL WHERE seq = ?`,
      outcome.status,
      token,
      end,
      now,
      message.calls_back ? this.#outbox.ended(message, expiresAt) : expiresAt,
      failure?.code ?? null,
      failure?.error ?? null,
      // A failed message may be tried again.
      failed ? payload : null,
      seq,
    );
    if (payload === null && !failed) this.#db.run('DELETE FROM payloads WHERE message = ?', seq);
    this.keys.note(message, outcome.status);
    this.#grow(message.queue, -1);
    this.#counters.add(status === 'queued' ? 'waiting' : 'processing', -1);
    this.#counters.add(outcome.status, 1);
  }

  read(message: MessageRow, after: number, limit: number): LogPage {
    return {
      status: message.status,
      position: this.position(message),
      after: Math.max(after, message.first - 1),
      events: this.#log.read(message, after, limit),
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

  /** When the one that waits longest was queued; undefined when none waits. */
  oldest(): number | undefined {
    const sql = `SELECT min(queued_at) AS since FROM messages WHERE status = 'queued'`;
    return this.#db.get<{ since: number | null }>(sql)?.since ?? undefined;
  }

  /** The queues whose first message waits longest, and since when; fewer where some are so long that the others lie far behind. */
  delayed(limit: number): ReadonlyMap<string, number> {
    const queues = new Map<string, number>();
    const rows = this.#db.each<{ queue: string; queued_at: number }>(
      `SELECT queue, queued_at FROM messages WHERE status = 'queued' ORDER BY queued_at, seq LIMIT ?`,
      limit * WAITING_LOOKED_AT,
    );
    for (const { queue, queued_at } of rows) {
      if (queues.size >= limit) break;
      if (!queues.has(queue)) queues.set(queue, queued_at);
    }
    return queues;
  }

  /** Drops some of what has outlived its retention. Whether there may be more of it. */
  forget(now: number): boolean {
    const old = this.#db.all<Pick<MessageRow, 'seq' | 'id' | 'status' | 'calls_back'>>(
      'SELECT seq, id, status, calls_back FROM messages WHERE expires_at <= ? LIMIT ?',
      now,
      FORGET_AT_ONCE,
    );
    let room = FORGET_AT_ONCE;
    for (const { seq, id, status, calls_back } of old) {
      room -= this.#log.forget(seq, room);
      if (room <= 0) break;
      if (status === 'failed') {
        this.#db.run('DELETE FROM payloads WHERE message = ?', seq);
        this.#db.run('DELETE FROM discarded WHERE message = ?', id);
      }
      if (calls_back) this.#outbox.forget(id);
      room -= this.#db.run('DELETE FROM messages WHERE seq = ?', seq);
    }
    const keys = this.keys.forget(now, FORGET_AT_ONCE);
    return room <= 0 || old.length === FORGET_AT_ONCE || keys === FORGET_AT_ONCE;
  }

  #accepted(queue: string, due: number | null): void {
    this.#grow(queue, 1);
    this.#counters.add('accepted', 1);
    this.#counters.add('waiting', 1);
    if (due !== null) this.#counters.add('queues', 1);
  }

  #grow(queue: string, by: number): void {
    const live = this.#live.get(queue);
    if (live !== undefined) this.#live.set(queue, live + by);
  }
}
