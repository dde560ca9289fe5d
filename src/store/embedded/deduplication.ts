import type { EndStatus } from '../../../machines/events.ts';
import type { MessageStatus, NewMessage } from '../store.ts';
import type { Database } from './database.ts';
import type { MessageRow } from './messages.ts';

/** The keys under which a message is accepted only once. They outlive the message. */
export class Deduplication {
  readonly #db: Database;
  readonly #keptMs: number;

  constructor(db: Database, keptMs: number) {
    this.#db = db;
    this.#keptMs = keptMs;
  }

  /** The message that was accepted under one of its keys, and how that one ended if it has. */
  first({ queue, deduplicationKeys }: NewMessage, now: number) {
    for (const key of deduplicationKeys) {
      const first = this.#db.get<{ id: string; status: MessageStatus | null }>(
        'SELECT message_id AS id, status FROM deduplication WHERE queue = ? AND key = ? AND expires_at > ?',
        queue,
        key,
        now,
      );
      if (first) return first;
    }
    return undefined;
  }

  add({ id, queue, deduplicationKeys }: NewMessage, now: number): void {
    for (const key of deduplicationKeys) {
      this.#db.run(
        'INSERT OR REPLACE INTO deduplication (queue, key, message_id, expires_at) VALUES (?, ?, ?, ?)',
        queue,
        key,
        id,
        now + this.#keptMs,
      );
    }
  }

  /** The message has ended so, or begun anew (null). A key of it may have run out and be another message's by now. */
  note({ id, queue, keys }: MessageRow, status: EndStatus | null): void {
    if (keys === null) return;
    for (const key of JSON.parse(keys) as string[]) {
      const sql = 'UPDATE deduplication SET status = ? WHERE queue = ? AND key = ? AND message_id = ?';
      this.#db.run(sql, status, queue, key, id);
    }
  }

  /** Drops those that have run out, at most so many; answers how many. */
  forget(now: number, most: number): number {
    return this.#db.run(
      `DELETE FROM deduplication
         WHERE (queue, key) IN (SELECT queue, key FROM deduplication WHERE expires_at <= ? LIMIT ?)`,
      now,
      most,
    );
  }
}
