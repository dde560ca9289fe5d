import { readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';

/** Version of the tables in `schema.sql`: a file of a newer one is not touched. */
const LAYOUT = 4;
/** The oldest that is brought up to date. */
const OLDEST = 3;

/** Makes the tables of a new file, or brings those of an older layout up to date: all of it, or nothing when it throws. */
export function layOut(db: DatabaseSync): void {
  const found = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (found !== 0 && (found < OLDEST || found > LAYOUT)) {
    throw new Error(`it has layout ${found}, this broker knows ${OLDEST} to ${LAYOUT}`);
  }
  db.exec('BEGIN IMMEDIATE');
  try {
    const schema = textOf('schema.sql');
    if (found === 3) db.exec(textOf('layout-3.sql').replace('-- schema.sql', schema));
    else db.exec(schema);
    db.exec(`PRAGMA user_version = ${LAYOUT}`);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

function textOf(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}
