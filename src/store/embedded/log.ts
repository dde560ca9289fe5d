import { processingEvent, queuedEvent } from '../events.ts';
import { type Change, type LogEvent, PAGE_BYTES } from '../store.ts';
import type { Database } from './database.ts';
import type { MessageRow } from './messages.ts';

/** So many events, or characters, go into one row: whoever reads on from the middle of a row has to read all of it. */
const ROW_EVENTS = 100;
const ROW_CHARS = 65_536;

type Written = [name: string, data: string];

/** The events of all messages. The first of a message, and its first `processing`, are told by the message's own row. */
export class Log {
  readonly #db: Database;
  readonly #tell: (queue: string, change: Change) => void;

  constructor(db: Database, tell: (queue: string, change: Change) => void) {
    this.#db = db;
    this.#tell = tell;
  }

  /**
   * Adds events after `last` and tells the watchers; answers the new last id, for the message's row. What was added
   * before is not added again.
   */
  add(message: MessageRow, last: number, events: readonly LogEvent[], moved = false): number {
    const end = last + events.length;
    if (message.last !== end) {
      if (message.last !== last) throw new Error(`Log of ${message.id} is at ${message.last}, not at ${last}`);
      this.#write(message.seq, last, events);
    }
    this.#tell(message.queue, { messageId: message.id, last: end, events, moved });
    return end;
  }

  /** The message has been claimed for the first time: the same, of the event that says so. */
  begin(message: MessageRow): number {
    const last = message.last + 1;
    const events = [processingEvent(message.id, 1)];
    this.#tell(message.queue, { messageId: message.id, last, events, moved: true });
    return last;
  }

  /** A page of events after event `after`: at most `limit`, and no more once they are large. */
  read({ seq, id, first, position, started_at }: MessageRow, after: number, limit: number): LogEvent[] {
    const told = [queuedEvent(id, position), ...(started_at === null ? [] : [processingEvent(id, 1)])];
    const skipped = Math.max(0, after - first + 1);
    const events = told.slice(skipped, skipped + limit);
    if (events.length >= limit) return events;
    const from = Math.max(after, first + told.length - 1);
    const rows = this.#db.each<{ last: number; events: string }>(
      'SELECT last, events FROM log WHERE message = ? AND last > ? ORDER BY last',
      seq,
      from,
    );
    let chars = 0;
    for (const row of rows) {
      const written = JSON.parse(row.events) as Written[];
      for (const [name, data] of written.slice(Math.max(0, from - row.last + written.length))) {
        events.push({ name, data });
        chars += data.length;
        if (events.length >= limit || chars >= PAGE_BYTES) return events;
      }
    }
    return events;
  }

  /** How many rows went, of at most `most`. */
  forget(seq: number, most: number): number {
    return this.#db.run('DELETE FROM log WHERE place IN (SELECT place FROM log WHERE message = ? LIMIT ?)', seq, most);
  }

  #write(seq: number, last: number, events: readonly LogEvent[]): void {
    let id = last;
    let row: Written[] = [];
    let chars = 0;
    for (const { name, data } of events) {
      id += 1;
      row.push([name, data]);
      chars += data.length;
      if (row.length < ROW_EVENTS && chars < ROW_CHARS && id < last + events.length) continue;
      this.#db.run('INSERT INTO log (message, last, events) VALUES (?, ?, ?)', seq, id, JSON.stringify(row));
      row = [];
      chars = 0;
    }
  }
}
