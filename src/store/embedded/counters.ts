import { type Counts, TOTALS, type Totals } from '../store.ts';
import type { Database } from './database.ts';

const NAMES = ['queues', 'waiting', 'processing', 'callbacks', 'token', ...TOTALS] as const;
type Name = (typeof NAMES)[number];
type Values = Record<Name, number>;

/**
 * What is counted, so that nothing is ever scanned, and the last fencing token. Kept in memory, for the file is ours
 * alone, and written with the changes that they count.
 */
export class Counters {
  readonly #db: Database;
  /** As they are in the file. */
  #stored: Values;
  #values: Values;

  constructor(db: Database) {
    this.#db = db;
    const stored = db.get<Values>('SELECT * FROM counts');
    if (!stored) throw new Error('the embedded store has lost its counts');
    this.#stored = stored;
    this.#values = { ...stored };
  }

  /** Adds to a count; answers its new value. */
  add(name: Name, by: number): number {
    this.#values[name] += by;
    return this.#values[name];
  }

  /** All counts as they are now, to come back to if what follows is undone. */
  get values(): Readonly<Values> {
    return { ...this.#values };
  }

  comeBackTo(values: Readonly<Values>): void {
    this.#values = { ...values };
  }

  /** Writes what has changed, in the transaction under way. */
  write(): void {
    const values = this.#values;
    if (NAMES.every((name) => values[name] === this.#stored[name])) return;
    this.#db.run(
      `UPDATE counts SET queues = ?, waiting = ?, processing = ?, callbacks = ?, token = ?, accepted = ?, completed = ?,
         failed = ?, cancelled = ?, expired = ?`,
      ...NAMES.map((name) => values[name]),
    );
  }

  /** What was written is committed, or else rolled back. */
  concluded(committed: boolean): void {
    if (committed) this.#stored = { ...this.#values };
    else this.#values = { ...this.#stored };
  }

  counts(): Omit<Counts, 'oldestWaitMs' | 'deadLetters'> {
    const { queues: activeQueues, waiting, processing, callbacks } = this.#values;
    return { activeQueues, waiting, processing, callbacks };
  }

  totals(): Totals {
    const { accepted, completed, failed, cancelled, expired } = this.#values;
    return { accepted, completed, failed, cancelled, expired };
  }
}
