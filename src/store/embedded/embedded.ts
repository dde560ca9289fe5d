import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Claim, Outcome } from '../../../machines/events.ts';
import { ClaimLost } from '../../errors.ts';
import { Register } from '../../register.ts';
import { readTrace } from '../../trace.ts';
import { CANCELLED, EXPIRED, processingEvent, retryingEvent, TAKEN_OVER } from '../events.ts';
import type {
  Cancelled,
  CancelledClaim,
  Change,
  ClaimedMessage,
  DeadLetter,
  DeadLetterPlace,
  DelayedQueue,
  Enqueued,
  Handover,
  LogEvent,
  LogPage,
  MessageState,
  NewMessage,
  Notice,
  QueueState,
  Renewal,
  Requeued,
  SettledMessage,
  Store,
  StoreSettings,
  Sweep,
} from '../store.ts';
import { Counters } from './counters.ts';
import { Database } from './database.ts';
import { DeadLetters } from './dead-letters.ts';
import { GroupCommit } from './group-commit.ts';
import { Heads } from './heads.ts';
import { Log } from './log.ts';
import { type MessageRow, Messages } from './messages.ts';
import { EmbeddedOutbox } from './outbox.ts';

/** What was put off before a start is put off no longer than this after it. */
const LONGEST_PAUSE_MS = 30_000;
/** So many overdue messages end in one sweep at most. */
const EXPIRE_AT_ONCE = 1000;
/** While there is much to forget, a fifth of the time goes into that. */
const FORGET_AGAIN_MS = 10;

/**
 * The store in one SQLite file, for one broker: it takes the file for itself and refuses a second one.
 * What is asked of it is done at once, and answered once it is committed.
 */
export class EmbeddedStore implements Store {
  readonly kind = 'embedded';
  readonly outbox: EmbeddedOutbox;
  readonly #settings: StoreSettings;
  readonly #db: Database;
  readonly #group: GroupCommit;
  readonly #counters: Counters;
  readonly #messages: Messages;
  readonly #heads: Heads;
  readonly #deadLetters: DeadLetters;
  readonly #watchers = new Register<string, Set<(change: Change) => void>>();
  #onCancelled: (claim: CancelledClaim) => void = () => {};
  #onNotice: (notice: Notice) => void = () => {};
  #forgetting: NodeJS.Timeout | undefined;
  /** What this broker announced. Kept in memory: the file has one broker, so nobody else could read it there. */
  #announced: { readonly status: string; readonly until: number } | undefined;

  /** Opens or makes the file in `directory`. Throws if another process has it. */
  constructor(directory: string, settings: StoreSettings) {
    // What people wrote is nobody else's business.
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new Error(`DATA_DIR ${directory} cannot be made: ${error instanceof Error ? error.message : error}.`, {
        cause: error,
      });
    }
    this.#settings = settings;
    this.#db = new Database(join(directory, 'broker.sqlite'));
    this.#counters = new Counters(this.#db);
    this.#group = new GroupCommit(this.#db, this.#counters, () => {
      this.#heads.undone();
      this.#messages.undone();
    });
    this.outbox = new EmbeddedOutbox(this.#db, this.#counters, this.#group, settings);
    const log = new Log(this.#db, (queue, change) => this.#tell(queue, change));
    this.#messages = new Messages(this.#db, settings, this.#counters, log, this.outbox);
    this.#heads = new Heads(this.#db, settings, this.#counters, log, this.outbox);
    this.#deadLetters = new DeadLetters(this.#db, this.outbox);
    // The clock may have been set back since others were put off: by an hour, or by years.
    const now = Date.now();
    const soon = now + LONGEST_PAUSE_MS;
    this.#heads.open(now, soon);
    this.outbox.open(soon);
  }

  enqueue(message: NewMessage, begin = false): Promise<Enqueued> {
    return this.#group.change(() => {
      const now = Date.now();
      const known = this.#messages.find(message.id);
      if (known) return { type: 'queued', position: known.position };
      const first = this.#messages.keys.first(message, now);
      if (first) {
        const row = this.#messages.find(first.id);
        const position = row ? this.#messages.position(row) : 0;
        return { type: 'duplicate', id: first.id, status: first.status ?? row?.status ?? 'processing', position };
      }
      const { queue, ifBusy, trace } = message;
      if (ifBusy === 'interrupt') this.#interrupt(queue, trace.requestId);
      const { waiting, isInWork } = this.#length(queue);
      const isAlone = !waiting && !isInWork;
      if (ifBusy === 'reject' && !isAlone) return { type: 'busy' };
      if (waiting >= this.#settings.maxQueueLength) return { type: 'full', length: waiting };
      const position = waiting + 1;
      this.#messages.add(message, position, isAlone ? now : null, now);
      if (!begin || !isAlone || ifBusy === 'interrupt') return { type: 'queued', position };
      return { type: 'queued', position, claimed: this.#claimNext(this.#heads.of(queue)) };
    });
  }

  requeue(queue: string, messageId: string, only?: 'callback', by?: string): Promise<Requeued | undefined> {
    return this.#group.change(() => {
      const message = this.#messages.findIn(queue, messageId);
      if (!message) return undefined;
      if (only || message.status !== 'failed') {
        if (this.outbox.redeliver(message)) {
          this.#notice(message, 'redelivering', by);
          return { type: 'redelivering' };
        }
        return only ? { type: 'not_undelivered' } : { type: 'not_failed', status: message.status };
      }
      const { waiting, isInWork } = this.#length(queue);
      if (waiting >= this.#settings.maxQueueLength) return { type: 'full', length: waiting };
      const now = Date.now();
      this.#messages.restart(message, waiting + 1, waiting || isInWork ? null : now, now);
      this.#notice({ ...message, attempts: 0 }, 'requeued', by);
      return { type: 'queued', position: waiting + 1 };
    });
  }

  cancel(queue: string, messageId: string, by?: string): Promise<Cancelled | undefined> {
    return this.#group.change(() => {
      const message = this.#messages.findIn(queue, messageId);
      switch (message?.status) {
        case undefined:
          return undefined;
        case 'queued':
          this.#finish(message, CANCELLED, by);
          this.#reindex(queue);
          return { type: 'cancelled' };
        case 'processing':
          return { type: this.#cancelInWork(queue, by) ? 'cancelling' : 'cancelled' };
        case 'completed':
        case 'failed':
        case 'cancelled':
        case 'expired':
          return { type: 'ended', status: message.status };
      }
    });
  }

  clear(queue: string, by?: string): Promise<number> {
    return this.#group.change(() => this.#cancelWaiting(queue, by));
  }

  claim(queue: string): Promise<ClaimedMessage | undefined> {
    return this.#group.change(() => {
      const message = this.#heads.of(queue);
      if (message?.status !== 'processing') return this.#claimNext(message);
      if (message.owner !== this.#settings.brokerId && isLater(message)) return undefined;
      if (message.cancelled) {
        this.#finish(message, CANCELLED);
        return this.#claimNext(this.#heads.next(queue));
      }
      const told = isOnlyTold(message);
      if (told) message.attempts -= 1;
      const attempt = message.attempts + 1;
      const retrying = message.unused || told ? [] : [retryingEvent(message.id, attempt, TAKEN_OVER)];
      this.#heads.take(message, [...retrying, processingEvent(message.id, attempt)]);
      return this.#claimOf(message);
    });
  }

  append(claim: Claim, last: number, events: readonly LogEvent[]): Promise<void> {
    return this.#group.change(() => this.#messages.append(this.#claimed(claim), last, events));
  }

  retry(claim: Claim, last: number, reason: string): Promise<ClaimedMessage> {
    return this.#group.change(() => {
      const message = this.#claimed(claim);
      const attempt = claim.attempt + 1;
      this.#messages.append(message, last, [retryingEvent(message.id, attempt, reason)]);
      this.#heads.retried(message, attempt);
      return this.#claimOf(message);
    });
  }

  settle(
    claim: Claim,
    last: number,
    events: readonly LogEvent[],
    outcome: Outcome,
    proceed: boolean,
  ): Promise<SettledMessage> {
    return this.#group.change(() => {
      const settled = { last: last + events.length + 1 };
      if (this.#heads.inWork(claim.queue)?.token !== claim.token && this.#hasSettled(claim)) {
        return { ...settled, ...this.#followed(claim, proceed) };
      }
      this.#messages.end(this.#claimed(claim), claim.token, last, events, outcome);
      return { ...settled, ...this.#following(this.#heads.next(claim.queue), claim, proceed) };
    });
  }

  release(claim: Claim, handover: Handover): Promise<void> {
    return this.#group.change(() => {
      const message = this.#heads.inWork(claim.queue);
      if (message?.token !== claim.token) return;
      const called = handover.called && !isOnlyTold(message);
      // A cancelled message is not kept waiting for its end.
      this.#heads.release(message, called, Date.now() + (message.cancelled ? 0 : Math.round(handover.delayMs)));
    });
  }

  async renew(claims: readonly Claim[], tell: (claim: Claim, renewal: Renewal) => void): Promise<void> {
    const renewals = await this.#group.change(() => claims.map((claim) => [claim, this.#renew(claim)] as const));
    for (const [claim, renewal] of renewals) tell(claim, renewal);
  }

  onCancelled(callback: (claim: CancelledClaim) => void): void {
    this.#onCancelled = callback;
  }

  onNotice(callback: (notice: Notice) => void): void {
    this.#onNotice = callback;
  }

  read(queue: string, messageId: string, after: number, limit: number): Promise<LogPage | undefined> {
    return this.#group.read(() => {
      const message = this.#messages.findIn(queue, messageId);
      return message && this.#messages.read(message, after, limit);
    });
  }

  message(queue: string, messageId: string): Promise<MessageState | undefined> {
    return this.#group.read(() => {
      const message = this.#messages.findIn(queue, messageId);
      return message && this.#messages.state(message);
    });
  }

  deadLetters(limit: number, after?: DeadLetterPlace): Promise<readonly DeadLetter[]> {
    return this.#group.read(() => this.#deadLetters.page(limit, after));
  }

  discard(queue: string, messageId: string, only?: 'callback', by?: string): Promise<boolean | undefined> {
    return this.#group.change(() => {
      const message = this.#messages.findIn(queue, messageId);
      const discarded = message && this.#deadLetters.discard(message, only);
      if (message && discarded) this.#notice(message, 'discarded', by);
      return discarded;
    });
  }

  delayed(limit: number): Promise<readonly DelayedQueue[]> {
    return this.#group.read(() => {
      const now = Date.now();
      return [...this.#messages.delayed(limit)].map(([queue, since]) => ({
        queue,
        waitMs: Math.max(0, now - since),
        length: this.#length(queue).waiting,
      }));
    });
  }

  async announce(status: string, ttlMs: number): Promise<void> {
    this.#announced = { status, until: performance.now() + ttlMs };
  }

  async brokers(): Promise<readonly string[]> {
    return this.#announced && performance.now() < this.#announced.until ? [this.#announced.status] : [];
  }

  queue(queue: string): Promise<QueueState> {
    return this.#group.read(() => {
      const processing = this.#heads.inWork(queue);
      return {
        processing: processing && {
          id: processing.id,
          attempt: processing.attempts,
          queuedAt: processing.queued_at,
        },
        waiting: this.#messages.waiting(queue).map(({ id, queued_at: queuedAt }) => ({ id, queuedAt })),
        now: Date.now(),
      };
    });
  }

  sweep(limit: number): Promise<Sweep> {
    return this.#group.change(() => {
      const now = Date.now();
      if (this.#messages.forget(now)) this.#forgetSoon();
      for (const message of this.#messages.overdue(now - this.#settings.messageTtlMs, EXPIRE_AT_ONCE)) {
        this.#finish(message, EXPIRED);
        this.#reindex(message.queue);
      }
      const due = this.#heads.claimable(now, limit);
      return {
        due,
        more: due.length >= limit,
        destinations: this.outbox.due(now),
        counts: {
          ...this.#counters.counts(),
          oldestWaitMs: Math.max(0, now - (this.#messages.oldest() ?? now)),
          deadLetters: this.#deadLetters.count(),
        },
        totals: this.#counters.totals(),
        complete: true,
      };
    });
  }

  /** Goes on with what a sweep has begun: else a busy broker would forget less than it accepts. */
  #forgetSoon(): void {
    this.#forgetting ??= setTimeout(() => {
      this.#forgetting = undefined;
      const more = this.#group.change(() => this.#messages.forget(Date.now()));
      // What cannot be forgotten now is in a later sweep.
      more.then((isMore) => isMore && this.#forgetSoon()).catch(() => {});
    }, FORGET_AGAIN_MS);
  }

  keepalive({ queue, messageId }: Claim, data: string): void {
    this.#call(queue, { messageId, last: 0, events: undefined, moved: false, keepalive: data });
  }

  async watch(queue: string, onChange: (change: Change) => void): Promise<() => void> {
    const watchers = this.#watchers.get(queue) ?? new Set();
    // The same function may watch twice.
    const callback = (change: Change) => onChange(change);
    this.#watchers.set(queue, watchers.add(callback));
    return () => {
      watchers.delete(callback);
      if (!watchers.size && this.#watchers.get(queue) === watchers) this.#watchers.delete(queue);
    };
  }

  ping(): Promise<void> {
    return this.#group.read(() => {
      this.#db.get('SELECT token FROM counts');
    });
  }

  async close(): Promise<void> {
    this.#group.flush();
    clearTimeout(this.#forgetting);
    this.#watchers.clear();
    this.#db.close();
  }

  /** What comes after a settled claim: `next` is the head of its queue now. */
  #following(next: MessageRow | undefined, claim: Claim, proceed: boolean): Omit<SettledMessage, 'last'> {
    if (next && proceed) return { next: this.#claimNext(next, claim.token), waiting: true };
    if (next) this.#heads.due(next, Date.now());
    return { next: undefined, waiting: next !== undefined };
  }

  /** The same in a repeat: what that very settling claimed, unless it is somebody else's by now. */
  #followed(claim: Claim, proceed: boolean): Omit<SettledMessage, 'last'> {
    const head = this.#heads.of(claim.queue);
    if (head?.status !== 'processing') return this.#following(head, claim, proceed);
    if (head.previous !== claim.token) return { next: undefined, waiting: this.#length(claim.queue).waiting > 0 };
    // It is for a claim to end it.
    if (head.cancelled) return { next: undefined, waiting: true };
    this.#prolong(head);
    return { next: this.#claimOf(head), waiting: true };
  }

  /** Claims the head of a queue, which waits; if it has waited for too long it expires, and so on. `settled`: see `take`. */
  #claimNext(head: MessageRow | undefined, settled = 0): ClaimedMessage | undefined {
    let message = head;
    while (message && message.queued_at + this.#settings.messageTtlMs <= Date.now()) {
      this.#finish(message, EXPIRED);
      message = this.#heads.next(message.queue);
    }
    if (!message) return undefined;
    this.#heads.take(message, [], settled);
    return this.#claimOf(message);
  }

  /** The message of a claim that is still held under its token. Throws ClaimLost. */
  #claimed(claim: Claim): MessageRow {
    const message = this.#heads.inWork(claim.queue);
    if (message?.token !== claim.token) throw new ClaimLost(claim.queue, claim.token);
    return message;
  }

  #hasSettled(claim: Claim): boolean {
    return this.#messages.find(claim.messageId)?.token === claim.token;
  }

  #renew(claim: Claim): Renewal {
    const message = this.#heads.inWork(claim.queue);
    if (message?.token !== claim.token) return 'lost';
    this.#prolong(message);
    return message.cancelled ? 'cancelled' : 'renewed';
  }

  #prolong(message: MessageRow): void {
    this.#heads.due(message, Date.now() + this.#settings.leaseMs);
  }

  #length(queue: string): { readonly waiting: number; readonly isInWork: boolean } {
    const live = this.#messages.live(queue);
    const isInWork = live > 0 && this.#heads.isInWork(queue);
    return { waiting: live - (isInWork ? 1 : 0), isInWork };
  }

  #interrupt(queue: string, by: string): void {
    this.#cancelWaiting(queue, by);
    this.#cancelInWork(queue, by);
  }

  #cancelWaiting(queue: string, by: string | undefined): number {
    const waiting = this.#messages.waiting(queue);
    for (const message of waiting) this.#finish(message, CANCELLED, by);
    if (waiting.length) this.#reindex(queue);
    return waiting.length;
  }

  /** Cancels the claimed message. True when the broker that works on it is to end it, false when it has ended here. */
  #cancelInWork(queue: string, by: string | undefined): boolean {
    const message = this.#heads.inWork(queue);
    if (!message) return false;
    const { owner, token } = message;
    if (owner === '' || !isLater(message)) {
      this.#finish(message, CANCELLED, by);
      this.#reindex(queue);
      return false;
    }
    this.#heads.cancel(message);
    this.#notice(message, 'cancelling', by);
    this.#group.tell(() => this.#onCancelled({ queue, token }));
    return true;
  }

  /** Ends a message that nobody works on. */
  #finish(message: MessageRow, outcome: typeof CANCELLED | typeof EXPIRED, by?: string): void {
    this.#messages.end(message, 0, message.last, [], outcome);
    this.#notice(message, outcome.status, by);
  }

  /** After messages have ended: whatever is the head of the queue now is due at once. */
  #reindex(queue: string): void {
    const head = this.#heads.next(queue);
    if (head?.due === null) this.#heads.due(head, Date.now());
  }

  #notice({ queue, id, attempts, trace }: MessageRow, deed: Notice['deed'], by: string | undefined): void {
    this.#group.tell(() =>
      this.#onNotice({ queue, messageId: id, deed, attempt: attempts, trace: readTrace(trace), by }),
    );
  }

  #tell(queue: string, change: Change): void {
    if (this.#watchers.has(queue)) this.#group.tell(() => this.#call(queue, change));
  }

  #call(queue: string, change: Change): void {
    for (const watcher of this.#watchers.get(queue) ?? []) watcher(change);
  }

  #claimOf(message: MessageRow): ClaimedMessage {
    return {
      queue: message.queue,
      messageId: message.id,
      token: message.token,
      attempt: message.attempts,
      payload: this.#messages.payload(message),
      trace: readTrace(message.trace),
      last: message.last,
      waitedMs: (message.started_at ?? message.queued_at) - message.queued_at,
      callback: message.calls_back ? this.outbox.of(message) : undefined,
    };
  }
}

/** The claim came no further than to say that there will be another attempt. */
function isOnlyTold({ told, last }: MessageRow): boolean {
  return told > 0 && last === told;
}

/** It cannot be claimed yet: its claim is alive, or it was put off. */
function isLater({ due }: MessageRow): boolean {
  return due !== null && due > Date.now();
}
