import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { Claim, Outcome } from '../../../machines/events.ts';
import { ClaimLost } from '../../../src/errors.ts';
import {
  type Change,
  type ClaimedMessage,
  type LogEvent,
  type NewMessage,
  READ_AGAIN,
  type Renewal,
  type Store,
  type StoreSettings,
} from '../../../src/store/store.ts';

/** `test` or `test.serial`. */
export type Declare = (title: string, implementation: (t: ExecutionContext) => Promise<void>) => void;

/** Somewhere with nothing stored yet, which is one test's own. */
export type Place = {
  /**
   * One more broker there, with an id of its own. It finds what those before it have stored; where only one broker at
   * a time can be (embedded), the one before has gone. Closed with the test.
   */
  broker(settings?: Partial<StoreSettings>): Promise<Store>;
};

export type MakePlace = (t: ExecutionContext) => Promise<Place>;

export const COMPLETED = { status: 'completed' } as const;
/** All claims are held still. */
export const HELD = { lost: [], cancelled: [] };
/** The worker call of the attempt was made. */
export const CALLED = { called: true, delayMs: 0 };
export const FAILED = { status: 'failed', code: 'worker_error', error: 'The worker said no.' } as const;

const DEFAULTS = {
  leaseMs: 600_000,
  deliveryLeaseMs: 600_000,
  maxQueueLength: 50,
  messageTtlMs: 86_400_000,
  retentionMs: 3_600_000,
  deadLetterRetentionMs: 86_400_000,
  deduplicationMs: 86_400_000,
};
let serial = 0;

export function settingsOf(more: Partial<StoreSettings> = {}): StoreSettings {
  serial += 1;
  return { brokerId: `broker-${serial}`, ...DEFAULTS, ...more };
}

export function aQueue(): string {
  serial += 1;
  return `queue-${serial}`;
}

export function aMessage(queue: string, more: Partial<NewMessage> = {}): NewMessage {
  serial += 1;
  return {
    id: `message-${serial}`,
    queue,
    payload: JSON.stringify({ n: serial }),
    trace: { requestId: `request-${serial}` },
    deduplicationKeys: [],
    ifBusy: 'enqueue',
    callback: undefined,
    ...more,
  };
}

export function workerEvents(...texts: readonly string[]): LogEvent[] {
  return texts.map((text) => ({ name: '', data: JSON.stringify({ type: 'progress', text }) }));
}

/** Puts a message into a queue. */
export async function queued(store: Store, queue: string): Promise<NewMessage> {
  const message = aMessage(queue);
  await store.enqueue(message);
  return message;
}

/** Puts so many messages into a queue. */
export async function filled(store: Store, queue: string, count: number): Promise<NewMessage[]> {
  const messages: NewMessage[] = [];
  while (messages.length < count) messages.push(await queued(store, queue));
  return messages;
}

/** Claims the head of a queue that has one. */
export async function claimed(store: Store, queue: string): Promise<ClaimedMessage> {
  const claim = await store.claim(queue);
  if (!claim) throw new Error(`There was nothing to claim in ${queue}`);
  return claim;
}

/** Claims the head of a queue and ends it so. */
export async function settled(store: Store, queue: string, outcome: Outcome): Promise<void> {
  const claim = await claimed(store, queue);
  await store.settle(claim, claim.last, [], outcome, false);
}

/** Asks until there is an answer; ava's own timeout is the limit. */
export async function until<Answer>(ask: () => Promise<Answer | undefined | false>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await delay(5);
  }
}

/** Renews claims; answers what is told of them. */
export async function renew(store: Store, claims: readonly Claim[]) {
  const told: Record<Renewal, Claim[]> = { renewed: [], lost: [], cancelled: [] };
  await store.renew(claims, (claim, renewal) => told[renewal].push(claim));
  // Each part of the store answers when it does; here they stand as they were asked for.
  const asked = (...of: readonly (readonly Claim[])[]) =>
    claims.filter((claim) => of.some((one) => one.includes(claim)));
  const { renewed, lost, cancelled } = told;
  return { renewed: asked(renewed, cancelled), lost: asked(lost), cancelled: asked(cancelled) };
}

/** Renews claims; answers those that were lost or cancelled, all others having been renewed. */
export async function renewal(store: Store, claims: readonly Claim[]) {
  const { renewed, lost, cancelled } = await renew(store, claims);
  const missing = claims.filter((claim) => renewed.includes(claim) === lost.includes(claim));
  if (missing.length) throw new Error(`Neither renewed nor lost, or both: ${JSON.stringify(missing)}`);
  return { lost, cancelled };
}

/** The whole log of a message. */
export async function logOf(store: Store, queue: string, messageId: string): Promise<readonly LogEvent[] | undefined> {
  const log: LogEvent[] = [];
  for (let after = 0; ; ) {
    const page = await store.read(queue, messageId, after, 100_000);
    if (!page) return undefined;
    log.push(...page.events);
    after = page.after + page.events.length;
    if (after >= page.last) return log;
    if (!page.events.length) throw new Error(`The log of ${messageId} ends at ${after}, not at ${page.last}`);
  }
}

/** What a queue looks like to everybody. */
export async function seen(store: Store, claim: Claim) {
  const { processing, waiting } = await store.queue(claim.queue);
  const page = await store.read(claim.queue, claim.messageId, 0, 1000);
  const { counts } = await store.sweep(0);
  return { processing, waiting, page, counts: { ...counts, oldestWaitMs: 0 } };
}

/** Every write of a claim is refused and changes nothing. */
export async function assertLost(t: ExecutionContext, store: Store, claim: ClaimedMessage): Promise<void> {
  const before = await seen(store, claim);
  const lost = { instanceOf: ClaimLost };
  await t.throwsAsync(store.append(claim, claim.last, workerEvents('late')), lost);
  await t.throwsAsync(store.append(claim, before.page?.last ?? 0, workerEvents('late')), lost);
  await t.throwsAsync(store.retry(claim, claim.last, 'late'), lost);
  await t.throwsAsync(store.settle(claim, claim.last, workerEvents('late'), COMPLETED, true), lost);
  await t.throwsAsync(store.settle(claim, before.page?.last ?? 0, [], FAILED, false), lost);
  t.deepEqual(await renewal(store, [claim]), { lost: [claim], cancelled: [] });
  await store.release(claim, CALLED);
  t.deepEqual(await seen(store, claim), before);
}

/** Collects what a queue's watcher is told. */
export class Watcher {
  readonly changes: Change[] = [];
  readonly #waiting = new Set<() => void>();

  readonly onChange = (change: Change): void => {
    // A store may say at any time that news may have been missed.
    if (change === READ_AGAIN) return;
    this.changes.push(change);
    for (const wake of this.#waiting) wake();
  };

  /** Resolves with the first change, heard or yet to be heard, that is as asked. */
  first(wanted: (change: Change) => boolean): Promise<Change> {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.changes.find(wanted);
        if (!found) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
