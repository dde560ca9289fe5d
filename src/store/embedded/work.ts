import type { Counts, Totals } from '../store.ts';
import type { Database } from './database.ts';

/** Which queues have something to do and from when, and the counts: kept at each change, so that nothing is ever scanned. */
export class Work {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** A message was put into the queue. One that is being worked on keeps the end of its lease. */
  added(queue: string, now: number): void {
    if (this.#db.run('INSERT OR IGNORE INTO work (queue, due) VALUES (?, ?)', queue, now)) this.count('queues', 1);
    this.count('waiting', 1);
  }

  /** The queue can be claimed from `at` on. */
  due(queue: string, at: number): void {
    this.#db.run('UPDATE work SET due = ? WHERE queue = ?', at, queue);
  }

  /** Nothing waits in the queue and nothing is claimed. */
  idle(queue: string): void {
    if (this.#db.run('DELETE FROM work WHERE queue = ?', queue)) this.count('queues', -1);
  }

  /** Adds to a count; answers its new value. */
  count(name: 'queues' | 'waiting' | 'processing' | 'callbacks' | 'token' | keyof Totals, by: number): number {
    const sql = 'UPDATE counts SET value = value + ? WHERE name = ? RETURNING value';
    return this.#db.get<{ value: number }>(sql, by, name)?.value ?? 0;
  }

  /** Queues that can be claimed, those due for longest first. */
  claimable(now: number, limit: number): string[] {
    const sql = 'SELECT queue FROM work WHERE due <= ? ORDER BY due LIMIT ?';
    return this.#db.all<{ queue: string }>(sql, now, limit).map(({ queue }) => queue);
  }

  counts(now: number): { readonly counts: Counts; readonly totals: Totals } {
    const rows = this.#db.all<{ name: string; value: number }>('SELECT name, value FROM counts');
    const values = new Map(rows.map((row) => [row.name, row.value]));
    const value = (name: string) => values.get(name) ?? 0;
    const oldest = this.#db.get<{ since: number | null }>(
      `SELECT min(queued_at) AS since FROM messages WHERE status = 'queued'`,
    )?.since;
    return {
      counts: {
        activeQueues: value('queues'),
        waiting: value('waiting'),
        processing: value('processing'),
        callbacks: value('callbacks'),
        oldestWaitMs: oldest ? Math.max(0, now - oldest) : 0,
      },
      totals: {
        accepted: value('accepted'),
        completed: value('completed'),
        failed: value('failed'),
        cancelled: value('cancelled'),
        expired: value('expired'),
      },
    };
  }
}
