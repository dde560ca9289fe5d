import type { DeliveryClaim, Destination } from '../../../machines/events.ts';
import { ClaimLost } from '../../errors.ts';
import { readTrace } from '../../trace.ts';
import type { Callback, Checkpoint, ClaimedDelivery, DeliveryEnd, DeliveryStatus, Outbox, Tries } from '../outbox.ts';
import type { CallbackState, StoreSettings } from '../store.ts';
import type { Counters } from './counters.ts';
import type { Database } from './database.ts';
import type { GroupCommit } from './group-commit.ts';
import type { MessageRow } from './messages.ts';

/** With the trace of its message. */
type CallbackRow = {
  message: string;
  url: string;
  details: string;
  from_start: number;
  status: DeliveryStatus | null;
  attempts: number;
  since: number | null;
  error: string;
  token: number;
  told: number;
  untold: number;
  trace: string;
};

type DestinationRow = { owner: string; token: number; due: number; message: string };

/** So many destinations are told of in one sweep. */
const DELIVERIES_AT_ONCE = 1000;

/** The callbacks of messages, and those of them that are still to be made. */
export class EmbeddedOutbox implements Outbox {
  readonly #db: Database;
  readonly #counters: Counters;
  readonly #group: GroupCommit;
  readonly #settings: StoreSettings;

  constructor(db: Database, counters: Counters, group: GroupCommit, settings: StoreSettings) {
    this.#db = db;
    this.#counters = counters;
    this.#group = group;
    this.#settings = settings;
  }

  async claim({ queue, url }: Destination): Promise<ClaimedDelivery | undefined> {
    return this.#group.change(() => {
      const { brokerId, deliveryLeaseMs } = this.#settings;
      const now = Date.now();
      const held = this.#held(queue, url);
      // Own claims of before are claimed anew; what is postponed has no owner.
      if (!held || (held.owner !== brokerId && held.due > now)) return undefined;
      const callback = this.#first(queue, url);
      if (!callback) {
        this.#db.run('DELETE FROM destinations WHERE queue = ? AND url = ?', queue, url);
        return undefined;
      }
      const token = this.#counters.add('token', 1);
      this.#hold(queue, url, brokerId, token, now + deliveryLeaseMs);
      this.#db.run('UPDATE destinations SET message = ? WHERE queue = ? AND url = ?', callback.message, queue, url);
      const { message: messageId, details, attempts, since, told, untold, trace } = callback;
      return {
        queue,
        url,
        messageId,
        token,
        details,
        attempts,
        triedForMs: since === null ? 0 : now - since,
        told,
        untold,
        trace: readTrace(trace),
      };
    });
  }

  async renew(claims: readonly DeliveryClaim[]): Promise<readonly DeliveryClaim[]> {
    return this.#group.change(() => {
      const until = Date.now() + this.#settings.deliveryLeaseMs;
      const sql = 'UPDATE destinations SET due = ? WHERE queue = ? AND url = ? AND token = ?';
      return claims.filter(({ queue, url, token }) => !this.#db.run(sql, until, queue, url, token));
    });
  }

  async settle(claim: DeliveryClaim, end: DeliveryEnd): Promise<boolean> {
    const { queue, url, token, messageId } = claim;
    return this.#group.change(() => {
      if (this.#find(messageId)?.token !== claim.token) {
        if (!this.#holds(claim)) throw new ClaimLost(queue, token);
        this.#remove(queue, url, messageId);
        this.#db.run(
          'UPDATE callbacks SET status = ?, attempts = ?, error = ?, token = ?, given_up_at = ? WHERE message = ?',
          end.status,
          end.attempts,
          end.error,
          token,
          end.status === 'undelivered' ? Date.now() : null,
          messageId,
        );
        this.#keep(messageId, end.status === 'undelivered');
        if (this.#isEmpty(queue, url)) {
          this.#db.run('DELETE FROM destinations WHERE queue = ? AND url = ?', queue, url);
        } else this.#hold(queue, url, '', 0, Date.now());
      }
      return !this.#isEmpty(queue, url);
    });
  }

  async checkpoint(claim: DeliveryClaim, { told, untold }: Checkpoint): Promise<void> {
    return this.#group.change(() => {
      if (!this.#holds(claim)) throw new ClaimLost(claim.queue, claim.token);
      this.#db.run('UPDATE callbacks SET told = ?, untold = ? WHERE message = ?', told, untold, claim.messageId);
    });
  }

  async postpone(claim: DeliveryClaim, { attempts, error }: Tries, delayMs: number): Promise<void> {
    return this.#group.change(() => {
      const { queue, url, messageId } = claim;
      if (!this.#holds(claim)) return;
      const now = Date.now();
      if (attempts) {
        const sql = 'UPDATE callbacks SET attempts = ?, error = ?, since = coalesce(since, ?) WHERE message = ?';
        this.#db.run(sql, attempts, error, now, messageId);
      }
      this.#hold(queue, url, '', 0, now + Math.round(delayMs));
    });
  }

  /** The message has a callback. */
  add(messageId: string, queue: string, { url, details, from }: Callback): void {
    this.#db.run(
      'INSERT INTO callbacks (message, queue, url, details, from_start) VALUES (?, ?, ?, ?, ?)',
      messageId,
      queue,
      url,
      details,
      from === 'start' ? 1 : 0,
    );
  }

  /** The callback's url and when its turn comes. */
  of({ id }: MessageRow): Pick<Callback, 'url' | 'from'> | undefined {
    const callback = this.#find(id);
    return callback && { url: callback.url, from: callback.from_start ? 'start' : 'end' };
  }

  state({ id }: MessageRow): CallbackState | undefined {
    const callback = this.#find(id);
    if (!callback?.status) return undefined;
    return { status: callback.status, attempts: callback.attempts, error: callback.error };
  }

  /** The message was claimed first: a callback that tells of its progress has its turn. */
  started(message: MessageRow): void {
    if (this.#find(message.id)?.from_start) this.#enter(message);
  }

  /** The message has ended, and is kept until `expiresAt`; without an end (null) while its callback is to be made. */
  ended(message: MessageRow, expiresAt: number): number | null {
    this.#enter(message);
    return this.#find(message.id)?.status === 'pending' ? null : expiresAt;
  }

  /**
   * The message is put into its queue again: its new end is called back. The old one is taken out of the outbox, and
   * whoever is making it has lost its claim.
   */
  restarted({ id, queue }: MessageRow): void {
    const callback = this.#find(id);
    if (!callback) return;
    const { url } = callback;
    if (callback.status === 'pending') {
      this.#remove(queue, url, id);
      if (this.#isEmpty(queue, url)) this.#db.run('DELETE FROM destinations WHERE queue = ? AND url = ?', queue, url);
      else if (this.#held(queue, url)?.message === id) this.#hold(queue, url, '', 0, Date.now());
    }
    this.#reset(id);
    this.#db.run('UPDATE callbacks SET told = 0, untold = 0 WHERE message = ?', id);
  }

  /** Puts a callback that was given up into the outbox again. False when it was not given up. */
  redeliver(message: MessageRow): boolean {
    if (this.#find(message.id)?.status !== 'undelivered') return false;
    this.#reset(message.id);
    this.#enter(message);
    this.#db.run('UPDATE messages SET expires_at = NULL WHERE id = ?', message.id);
    return true;
  }

  /** Lists a callback that was given up no more. False when it was not given up. */
  discard({ id }: MessageRow): boolean {
    const sql = `UPDATE callbacks SET given_up_at = NULL WHERE message = ? AND status = 'undelivered'`;
    return this.#db.run(sql, id) > 0;
  }

  /** Some of the destinations to which a callback is due. */
  due(now: number): Destination[] {
    const sql = 'SELECT queue, url FROM destinations WHERE due <= ? ORDER BY due LIMIT ?';
    return this.#db.all<Destination>(sql, now, DELIVERIES_AT_ONCE);
  }

  /** The file is ours alone: whoever held a claim is gone, and what was put off is put off to `soon` at most. */
  open(soon: number): void {
    this.#db.run(`UPDATE destinations SET owner = '', token = 0, due = 0 WHERE owner <> ''`);
    this.#db.run('UPDATE destinations SET due = ? WHERE due > ?', soon, soon);
  }

  forget(messageId: string): void {
    this.#db.run('DELETE FROM callbacks WHERE message = ?', messageId);
  }

  #find(messageId: string): CallbackRow | undefined {
    return this.#db.get<CallbackRow>(
      'SELECT c.*, m.trace FROM callbacks c JOIN messages m ON m.id = c.message WHERE message = ?',
      messageId,
    );
  }

  #held(queue: string, url: string): DestinationRow | undefined {
    const sql = 'SELECT owner, token, due, message FROM destinations WHERE queue = ? AND url = ?';
    return this.#db.get<DestinationRow>(sql, queue, url);
  }

  #holds(claim: DeliveryClaim): boolean {
    return this.#held(claim.queue, claim.url)?.token === claim.token;
  }

  #hold(queue: string, url: string, owner: string, token: number, due: number): void {
    const sql = 'UPDATE destinations SET owner = ?, token = ?, due = ? WHERE queue = ? AND url = ?';
    this.#db.run(sql, owner, token, due, queue, url);
  }

  #isEmpty(queue: string, url: string): boolean {
    return !this.#db.get('SELECT place FROM outbox WHERE queue = ? AND url = ? LIMIT 1', queue, url);
  }

  #first(queue: string, url: string): CallbackRow | undefined {
    const sql = 'SELECT message FROM outbox WHERE queue = ? AND url = ? ORDER BY place LIMIT 1';
    const id = this.#db.get<{ message: string }>(sql, queue, url)?.message;
    return id === undefined ? undefined : this.#find(id);
  }

  #enter({ id, queue }: MessageRow): void {
    const callback = this.#find(id);
    if (!callback || callback.status) return;
    const { url } = callback;
    this.#db.run(`UPDATE callbacks SET status = 'pending' WHERE message = ?`, id);
    this.#db.run('INSERT INTO outbox (queue, url, message) VALUES (?, ?, ?)', queue, url, id);
    this.#db.run(
      `INSERT OR IGNORE INTO destinations (queue, url, owner, token, due) VALUES (?, ?, '', 0, ?)`,
      queue,
      url,
      Date.now(),
    );
    this.#counters.add('callbacks', 1);
  }

  #remove(queue: string, url: string, messageId: string): void {
    const sql = 'DELETE FROM outbox WHERE queue = ? AND url = ? AND message = ?';
    if (this.#db.run(sql, queue, url, messageId)) this.#counters.add('callbacks', -1);
  }

  #reset(messageId: string): void {
    this.#db.run(
      `UPDATE callbacks SET status = NULL, attempts = 0, since = NULL, error = '', token = 0, given_up_at = NULL
         WHERE message = ?`,
      messageId,
    );
  }

  /** From now on the message is kept as any other that has ended, or as a dead letter. */
  #keep(messageId: string, isDead: boolean): void {
    const { retentionMs, deadLetterRetentionMs } = this.#settings;
    const now = Date.now();
    this.#db.run(
      `UPDATE messages SET expires_at = CASE WHEN ? OR status = 'failed' THEN ? ELSE ? END
         WHERE id = ? AND status NOT IN ('queued', 'processing')`,
      isDead ? 1 : 0,
      now + deadLetterRetentionMs,
      now + retentionMs,
      messageId,
    );
  }
}
