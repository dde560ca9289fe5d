import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { StoreUnavailable } from '../../errors.ts';

/** Version of the tables in `schema.sql`: a file of another one is not touched. */
const LAYOUT = 3;

type Value = string | number | null;

/** SQLite's result codes (https://sqlite.org/rescode.html) that say "not now": busy, locked, read-only, I/O error, disk full. */
const NOT_NOW = new Set([5, 6, 8, 10, 13]);

/** One SQLite file that this process has for itself, its statements prepared once. */
export class Database {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens or makes the file and its tables. In WAL mode a commit survives the death of the process.
   * Throws if another process has it.
   */
  constructor(file: string, schema: string) {
    this.#db = new DatabaseSync(file, { timeout: 1000 });
    try {
      this.#db.exec(`
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
      `);
      const version = Number(this.#db.prepare('PRAGMA user_version').get()?.['user_version']);
      if (version !== 0 && version !== LAYOUT) throw new Error(`it has layout ${version}, this broker knows ${LAYOUT}`);
      this.#db.exec(schema);
      this.#db.exec(`PRAGMA user_version = ${LAYOUT}`);
    } catch (error) {
      this.#db.close();
      throw new Error(
        `The embedded store ${file} cannot be opened (${error instanceof Error ? error.message : error}). ` +
          'If another broker uses it, stop that one, or give this one a DATA_DIR of its own or a REDIS_URL.',
        { cause: error },
      );
    }
  }

  /** Does all of the work or, when it throws, none of it. Throws StoreUnavailable. */
  transaction<Result>(work: () => Result): Result {
    return this.ask(() => {
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
  ask<Answer>(work: () => Answer): Answer {
    try {
      return work();
    } catch (error) {
      throw isNotNow(error) ? new StoreUnavailable(error) : error;
    }
  }

  /** How many rows the statement changed. */
  run(sql: string, ...values: Value[]): number {
    return Number(this.#statement(sql).run(...values).changes);
  }

  // node:sqlite types a row as a record of column values; the row types of the callers mirror schema.sql.
  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** The rows one by one; those not asked for are not read. */
  each<Row>(sql: string, ...values: Value[]): Iterable<Row> {
    return this.#statement(sql).iterate(...values) as Iterable<Row>;
  }

  close(): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function isNotNow(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  if (error.code === 'ERR_INVALID_STATE') return true;
  return 'errcode' in error && typeof error.errcode === 'number' && NOT_NOW.has(error.errcode & 0xff);
}
