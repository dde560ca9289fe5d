import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { StoreUnavailable } from '../../errors.ts';
import { layOut } from './layout.ts';

type Value = string | number | null;

/**
 * A checkpoint holds the thread for 10 to 40 ms, nearly all of it for the disk's two syncs and whatever it has to write:
 * 16 MB of log come before it rather than SQLite's 4.
 */
const CHECKPOINT_PAGES = 4000;

/** A file that has no room for so much is full. */
const ROOM_BYTES = 131_072;

/** A statement, and the names of the columns it answers. */
type Prepared = { readonly statement: StatementSync; readonly columns: readonly string[] };

/** SQLite's result codes (https://sqlite.org/rescode.html) that say "not now": busy, locked, read-only, I/O error, disk full. */
const NOT_NOW = new Set([5, 6, 8, 10, 13]);

/** One SQLite file that this process has for itself, its statements prepared once. */
export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, Prepared>();
  #written = 0;

  /**
   * Opens or makes the file and its tables. In WAL mode a commit survives the death of the process.
   * Throws if another process has it.
   */
  constructor(file: string) {
    this.#db = new DatabaseSync(file, { timeout: 1000 });
    try {
      this.#db.exec(`
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
        PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
      `);
      layOut(this.#db);
    } catch (error) {
      this.#db.close();
      throw new Error(
        `The embedded store ${file} cannot be opened (${error instanceof Error ? error.message : error}). ` +
          'If another broker uses it, stop that one, or give this one a DATA_DIR of its own or a REDIS_URL.',
        { cause: error },
      );
    }
  }

  /** Grows with each statement that may have changed something. */
  get written(): number {
    return this.#written;
  }

  /** Throws StoreUnavailable. */
  begin(): void {
    this.ask(() => this.#db.exec('BEGIN IMMEDIATE'));
  }

  /** Throws StoreUnavailable. */
  commit(): void {
    this.ask(() => this.#db.exec('COMMIT'));
  }

  /** Fails, now or with the commit, if there is no room for what a message or two may take. `clear` is to follow. */
  fill(): void {
    this.run('INSERT OR REPLACE INTO payloads (message, payload) VALUES (-1, ?)', ' '.repeat(ROOM_BYTES));
  }

  /** Gives the room free that was taken to see whether it is there. */
  clear(): void {
    this.run('DELETE FROM payloads WHERE message = -1');
  }

  /** No more, also, when SQLite has rolled back by itself, as it may when it cannot write. */
  get inTransaction(): boolean {
    return this.#db.isOpen && this.#db.isTransaction;
  }

  rollback(): void {
    if (this.inTransaction) this.#db.exec('ROLLBACK');
  }

  /** The one place where what goes wrong with SQLite becomes StoreUnavailable. */
  ask<Answer>(work: () => Answer): Answer {
    try {
      return work();
    } catch (error) {
      throw isNotNow(error) ? new StoreUnavailable(error) : error;
    }
  }

  /** How many rows the statement changed. */
  run(sql: string, ...values: Value[]): number {
    this.#written += 1;
    return Number(this.#prepared(sql).statement.run(...values).changes);
  }

  // node:sqlite types a row as any values; the row types of the callers mirror schema.sql.
  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    const { statement, columns } = this.#prepared(sql);
    const row: unknown = statement.get(...values);
    return row ? rowOf<Row>(columns, row) : undefined;
  }

  all<Row>(sql: string, ...values: Value[]): Row[] {
    return [...this.each<Row>(sql, ...values)];
  }

  /** The rows one by one; those not asked for are not read. */
  *each<Row>(sql: string, ...values: Value[]): Iterable<Row> {
    const { statement, columns } = this.#prepared(sql);
    for (const row of statement.iterate(...values)) yield rowOf<Row>(columns, row);
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #prepared(sql: string): Prepared {
    let prepared = this.#statements.get(sql);
    if (!prepared) {
      const statement = this.#db.prepare(sql);
      statement.setReturnArrays(true);
      prepared = { statement, columns: statement.columns().map(({ name }) => name) };
      this.#statements.set(sql, prepared);
    }
    return prepared;
  }
}

/** A plain object: those that node:sqlite makes by itself are slower to make, to read and to copy. */
function rowOf<Row>(columns: readonly string[], values: unknown): Row {
  const row: Record<string, unknown> = {};
  let index = 0;
  for (const column of columns) {
    row[column] = (values as readonly unknown[])[index];
    index += 1;
  }
  return row as Row;
}

function isNotNow(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  if (error.code === 'ERR_INVALID_STATE') return true;
  return 'errcode' in error && typeof error.errcode === 'number' && NOT_NOW.has(error.errcode & 0xff);
}
