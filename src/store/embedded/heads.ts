import { Register } from '../../register.ts';
import type { LogEvent, StoreSettings } from '../store.ts';
import type { Counters } from './counters.ts';
import type { Database } from './database.ts';
import type { Log } from './log.ts';
import type { MessageRow } from './messages.ts';
import type { EmbeddedOutbox } from './outbox.ts';

/** Of so many queues at most it is remembered that their head waits. */
const REMEMBERED = 10_000;

/**
 * The head of each queue: the first of its messages that has not ended. It is what the queue has to do, now or once it is
 * due, and carries the claim of whoever works on it.
 */
export class Heads {
  readonly #db: Database;
  readonly #settings: StoreSettings;
  readonly #counters: Counters;
  readonly #log: Log;
  readonly #outbox: EmbeddedOutbox;
  /** Of those being worked on, by their queue, the ones that were met here: they are asked for again and again. */
  readonly #inWork = new Register<string, MessageRow>();
  /** Queues whose head was seen to wait: whatever follows it waits as well, until one is claimed. */
  readonly #waiting = new Set<string>();

  constructor(db: Database, settings: StoreSettings, counters: Counters, log: Log, outbox: EmbeddedOutbox) {
    this.#db = db;
    this.#settings = settings;
    this.#counters = counters;
    this.#log = log;
    this.#outbox = outbox;
  }

  /** The file is ours alone: whoever held a claim is gone, and what was put off is put off to `soon` at most. */
  open(now: number, soon: number): void {
    this.#db.run(`UPDATE messages SET due = ? WHERE due > ? AND owner <> ''`, now, now);
    this.#db.run('UPDATE messages SET due = ? WHERE due > ?', soon, soon);
  }

  of(queue: string): MessageRow | undefined {
    const known = this.#inWork.get(queue);
    if (known) return known;
    const sql = 'SELECT * FROM messages WHERE queue = ? AND ended_at IS NULL ORDER BY seq LIMIT 1';
    const head = this.#db.get<MessageRow>(sql, queue);
    if (head?.status === 'processing') this.#inWork.set(queue, head);
    return head;
  }

  /** The head, if it is being worked on. */
  inWork(queue: string): MessageRow | undefined {
    const head = this.of(queue);
    return head?.status === 'processing' ? head : undefined;
  }

  /** Whether it is. */
  isInWork(queue: string): boolean {
    if (this.#inWork.has(queue)) return true;
    if (this.#waiting.has(queue)) return false;
    const sql = 'SELECT status FROM messages WHERE queue = ? AND ended_at IS NULL ORDER BY seq LIMIT 1';
    const head = this.#db.get<Pick<MessageRow, 'status'>>(sql, queue);
    if (head?.status === 'processing') return true;
    if (this.#waiting.size >= REMEMBERED) this.#waiting.clear();
    if (head) this.#waiting.add(queue);
    return false;
  }

  /** After a message of the queue has ended, and maybe its head: the one it has now. */
  next(queue: string): MessageRow | undefined {
    this.#inWork.delete(queue);
    const head = this.of(queue);
    if (!head) this.#counters.add('queues', -1);
    return head;
  }

  /** Claims the message as its next attempt, under a new fencing token. `settled`: the claim that made room for it, else 0. */
  take(message: MessageRow, events: readonly LogEvent[], settled = 0): void {
    const { brokerId, leaseMs } = this.#settings;
    const now = Date.now();
    const isNew = message.started_at === null;
    message.last = isNew ? this.#log.begin(message) : this.#log.add(message, message.last, events);
    message.status = 'processing';
    message.started_at ??= now;
    message.attempts += 1;
    message.due = now + leaseMs;
    message.owner = brokerId;
    message.token = this.#counters.add('token', 1);
    message.previous = settled;
    message.unused = 0;
    message.told = 0;
    message.cancelled = 0;
    this.#db.run(
      `UPDATE messages SET status = ?, started_at = ?, attempts = ?, last = ?, due = ?, owner = ?, token = ?, previous = ?,
         unused = 0, told = 0, cancelled = 0 WHERE seq = ?`,
      message.status,
      message.started_at,
      message.attempts,
      message.last,
      message.due,
      message.owner,
      message.token,
      message.previous,
      message.seq,
    );
    this.#inWork.set(message.queue, message);
    this.#waiting.delete(message.queue);
    if (!isNew) return;
    this.#counters.add('waiting', -1);
    this.#counters.add('processing', 1);
    if (message.calls_back) this.#outbox.started(message);
  }

  /** Its queue is due at `at`: its claim was prolonged, or it is the head only now. */
  due(message: MessageRow, at: number): void {
    message.due = at;
    this.#db.run('UPDATE messages SET due = ? WHERE seq = ?', at, message.seq);
  }

  /** The claim is given up, its attempt being made or not: the message is due again at `due`. */
  release(message: MessageRow, called: boolean, due: number): void {
    message.due = due;
    message.owner = '';
    message.token = 0;
    message.previous = 0;
    message.unused = called ? 0 : 1;
    message.told = 0;
    message.attempts -= message.unused;
    this.#db.run(
      `UPDATE messages SET due = ?, owner = '', token = 0, previous = 0, unused = ?, told = 0, attempts = ? WHERE seq = ?`,
      due,
      message.unused,
      message.attempts,
      message.seq,
    );
  }

  /** It was said, in the last event, that there will be an attempt of this number. */
  retried(message: MessageRow, attempt: number): void {
    message.attempts = attempt;
    message.told = message.last;
    this.#db.run('UPDATE messages SET attempts = ?, told = ? WHERE seq = ?', attempt, message.told, message.seq);
  }

  /** Whoever holds the claim is to cancel the message. */
  cancel(message: MessageRow): void {
    message.cancelled = 1;
    this.#db.run('UPDATE messages SET cancelled = 1 WHERE seq = ?', message.seq);
  }

  /** Changes were undone: what is remembered may be what they had made of it. */
  undone(): void {
    this.#inWork.clear();
    this.#waiting.clear();
  }

  /** Queues that can be claimed, those due for longest first. */
  claimable(now: number, limit: number): string[] {
    const sql = 'SELECT queue FROM messages WHERE due <= ? ORDER BY due LIMIT ?';
    return this.#db.all<{ queue: string }>(sql, now, limit).map(({ queue }) => queue);
  }
}
