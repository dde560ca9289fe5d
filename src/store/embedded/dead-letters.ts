import { type DeadLetter, type DeadLetterPlace, newestFirst } from '../store.ts';
import type { Database } from './database.ts';
import type { MessageRow } from './messages.ts';
import type { EmbeddedOutbox } from './outbox.ts';

/** Counting a thousand takes 30 µs: with more of them they are counted anew only so often. */
const COUNTED_EACH_TIME = 1000;
const COUNTED_EVERY_MS = 10_000;

/** Messages that failed and callbacks that were given up, until somebody has dealt with them or they are forgotten. */
export class DeadLetters {
  readonly #db: Database;
  readonly #outbox: EmbeddedOutbox;
  #counted = 0;
  #countedAt = 0;

  constructor(db: Database, outbox: EmbeddedOutbox) {
    this.#db = db;
    this.#outbox = outbox;
  }

  page(limit: number, after?: DeadLetterPlace): readonly DeadLetter[] {
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

  /** How many there are; when they are many, how many there were up to ten seconds ago. */
  count(): number {
    const now = performance.now();
    if (this.#counted > COUNTED_EACH_TIME && now - this.#countedAt < COUNTED_EVERY_MS) return this.#counted;
    const failed = this.#rows(`SELECT count(*) AS n FROM messages WHERE status = 'failed'`);
    const discarded = this.#rows('SELECT count(*) AS n FROM discarded');
    const undelivered = this.#rows(
      `SELECT count(*) AS n FROM callbacks WHERE status = 'undelivered' AND given_up_at > 0`,
    );
    this.#counted = failed - discarded + undelivered;
    this.#countedAt = now;
    return this.#counted;
  }

  /** Takes it out of the dead letters, with its callback or that alone; false when it is none. */
  discard(message: MessageRow, only?: 'callback'): boolean {
    const undelivered = this.#outbox.discard(message);
    const failed = message.status === 'failed' && !only;
    if (failed) this.#db.run('INSERT OR IGNORE INTO discarded (message) VALUES (?)', message.id);
    return failed || undelivered;
  }

  #rows(sql: string): number {
    return this.#db.get<{ n: number }>(sql)?.n ?? 0;
  }
}
