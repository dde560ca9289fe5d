import { setTimeout as delay } from 'node:timers/promises';
import type { CancelledClaim, Store } from '../../../src/store/store.ts';
import {
  aMessage,
  aQueue,
  assertLost,
  CALLED,
  COMPLETED,
  claimed,
  type Declare,
  FAILED,
  filled,
  HELD,
  logOf,
  type MakePlace,
  queued,
  renewal,
  until,
  Watcher,
  workerEvents,
} from './kit.ts';

const IDLE = { activeQueues: 0, waiting: 0, processing: 0 };
const WORDS = {
  cancelled: 'The message was cancelled before it was answered.',
  expired: 'The message waited for too long. Send it again if it still matters.',
};

function endEvent(id: string, status: keyof typeof WORDS) {
  return { name: 'error', data: JSON.stringify({ message_id: id, status, code: status, error: WORDS[status] }) };
}

/** Cancelling, clearing, expiring, interrupting, dead letters. */
export function operationsContract(test: Declare, aPlace: MakePlace): void {
  const counts = async (store: Store) => (await store.sweep(0)).counts;

  test('a waiting message that is cancelled has ended, and those behind it move up', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [first, second, third] = await filled(store, queue, 3);
    if (!first || !second || !third) return t.fail();
    const watcher = new Watcher();
    await store.watch(queue, watcher.onChange);
    t.deepEqual(await store.cancel(queue, second.id), { type: 'cancelled' });
    await watcher.first(({ messageId, last, moved }) => messageId === second.id && last === 2 && moved);
    t.deepEqual((await logOf(store, queue, second.id))?.at(-1), endEvent(second.id, 'cancelled'));
    t.like(await store.message(queue, second.id), {
      status: 'cancelled',
      position: 0,
      attempts: 0,
      startedAt: undefined,
    });
    t.is((await store.message(queue, third.id))?.position, 2);
    t.like(await counts(store), { activeQueues: 1, waiting: 2, processing: 0 });

    t.deepEqual(await store.cancel(queue, second.id), { type: 'ended', status: 'cancelled' });
    t.is(await store.cancel(queue, 'unknown'), undefined);
    t.is(await store.cancel(aQueue(), third.id), undefined, 'nor one of another queue');
    await store.cancel(queue, first.id);
    t.is((await claimed(store, queue)).messageId, third.id);
  });

  test('the only message of a queue cancelled leaves nothing to do', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const message = await queued(store, queue);
    await store.cancel(queue, message.id);
    t.is(await store.claim(queue), undefined);
    t.deepEqual((await store.sweep(10)).due, []);
    t.like(await counts(store), { ...IDLE, oldestWaitMs: 0 });
  });

  test('a cancelled message in work is ended by who holds its claim, which is told', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const told = Promise.withResolvers<CancelledClaim>();
    store.onCancelled(told.resolve);
    await filled(store, queue, 2);
    const claim = await claimed(store, queue);
    t.deepEqual(await renewal(store, [claim]), HELD);
    t.deepEqual(await store.cancel(queue, claim.messageId), { type: 'cancelling' });
    t.deepEqual(await told.promise, { queue, token: claim.token });
    t.deepEqual(await renewal(store, [claim]), { lost: [], cancelled: [claim] });
    t.is((await store.message(queue, claim.messageId))?.status, 'processing');

    const outcome = { status: 'cancelled', code: 'cancelled', error: WORDS.cancelled } as const;
    const { next } = await store.settle(claim, claim.last, workerEvents('a'), outcome, true);
    t.deepEqual((await logOf(store, queue, claim.messageId))?.at(-1), endEvent(claim.messageId, 'cancelled'));
    if (!next) return t.fail();
    t.deepEqual(await renewal(store, [next]), HELD, 'the next one is not cancelled');
  });

  test('a broker is told by another that its message was cancelled', async (t) => {
    const place = await aPlace(t);
    const one = await place.broker();
    const queue = aQueue();
    await filled(one, queue, 1);
    const told = Promise.withResolvers<CancelledClaim>();
    one.onCancelled(told.resolve);
    const claim = await claimed(one, queue);
    const other = await place.broker();
    if (other.kind === 'embedded') {
      // The broker that held it is gone with its claims, so nobody needs to be told.
      t.deepEqual(await other.cancel(queue, claim.messageId), { type: 'cancelled' });
      return;
    }
    // Told in passing: not yet, perhaps, by the first time it is said.
    const heard = await until(async () => {
      t.deepEqual(await other.cancel(queue, claim.messageId), { type: 'cancelling' });
      return Promise.race([told.promise, delay(20, undefined)]);
    });
    t.deepEqual(heard, { queue, token: claim.token });
  });

  for (const gone of ['ran out', 'was given up'] as const) {
    test(`a cancelled message whose claim ${gone} is not claimed again`, async (t) => {
      const store = await (await aPlace(t)).broker({ leaseMs: gone === 'ran out' ? 50 : 60_000 });
      const queue = aQueue();
      await filled(store, queue, 2);
      const claim = await claimed(store, queue);
      await store.cancel(queue, claim.messageId);
      if (gone === 'was given up') await store.release(claim, CALLED);
      else await until(async () => (await store.sweep(10)).due.includes(queue));
      const next = await claimed(store, queue);
      t.not(next.messageId, claim.messageId);
      t.deepEqual((await logOf(store, queue, claim.messageId))?.at(-1), endEvent(claim.messageId, 'cancelled'));
      await assertLost(t, store, claim);
      t.like(await counts(store), { activeQueues: 1, waiting: 0, processing: 1 });
    });

    test(`a message whose claim ${gone} can be cancelled at once`, async (t) => {
      const store = await (await aPlace(t)).broker({ leaseMs: gone === 'ran out' ? 50 : 60_000 });
      const queue = aQueue();
      const [, second] = await filled(store, queue, 2);
      if (!second) return t.fail();
      const claim = await claimed(store, queue);
      if (gone === 'was given up') await store.release(claim, CALLED);
      else await until(async () => (await store.sweep(10)).due.includes(queue));
      t.deepEqual(await store.cancel(queue, claim.messageId), { type: 'cancelled' });
      t.like(await counts(store), { activeQueues: 1, waiting: 1, processing: 0 });
      t.deepEqual((await store.sweep(10)).due, [queue]);
      await assertLost(t, store, claim);
      t.is((await claimed(store, queue)).messageId, second.id);
    });
  }

  test('clearing a queue cancels all that wait and leaves the one in work', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    t.is(await store.clear(queue), 0);
    const [first, ...waiting] = await filled(store, queue, 4);
    if (!first) return t.fail();
    const claim = await claimed(store, queue);
    t.is(await store.clear(queue), 3);
    t.is(await store.clear(queue), 0);
    for (const { id } of waiting) t.is((await store.message(queue, id))?.status, 'cancelled');
    t.deepEqual(await renewal(store, [claim]), HELD);
    t.like(await store.queue(queue), { processing: { id: first.id }, waiting: [] });
    t.like(await counts(store), { activeQueues: 1, waiting: 0, processing: 1 });
    t.deepEqual(await store.settle(claim, 2, [], COMPLETED, true), { next: undefined, waiting: false, last: 3 });
    t.like(await counts(store), IDLE);
  });

  test('a message that is to be refused while others wait or run is refused then, and leaves nothing', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const polite = () => aMessage(queue, { ifBusy: 'reject', deduplicationKeys: ['key'] });
    await filled(store, queue, 1);
    t.deepEqual(await store.enqueue(polite()), { type: 'busy' });
    const claim = await claimed(store, queue);
    t.deepEqual(await store.enqueue(polite()), { type: 'busy' });
    t.like(await store.queue(queue), { waiting: [] });
    await store.settle(claim, claim.last, [], COMPLETED, true);
    const accepted = polite();
    t.deepEqual(await store.enqueue(accepted), { type: 'queued', position: 1 });
    t.like(await store.enqueue(polite()), { type: 'duplicate', id: accepted.id }, 'a duplicate is one even now');
  });

  test('a message that interrupts cancels all before it, and then is next', async (t) => {
    const store = await (await aPlace(t)).broker({ maxQueueLength: 2 });
    const queue = aQueue();
    const told = Promise.withResolvers<CancelledClaim>();
    store.onCancelled(told.resolve);
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    const waiting = await filled(store, queue, 2);
    const urgent = aMessage(queue, { ifBusy: 'interrupt', deduplicationKeys: ['key'] });
    t.deepEqual(await store.enqueue(urgent), { type: 'queued', position: 1 }, 'also into a full queue');
    t.deepEqual(await store.enqueue(urgent), { type: 'queued', position: 1 });
    t.like(await store.enqueue({ ...urgent, id: 'again' }), { type: 'duplicate', id: urgent.id });
    t.deepEqual(await told.promise, { queue, token: claim.token });
    for (const { id } of waiting) t.is((await store.message(queue, id))?.status, 'cancelled');
    t.deepEqual(await renewal(store, [claim]), { lost: [], cancelled: [claim] });
    t.like(await counts(store), { activeQueues: 1, waiting: 1, processing: 1 });
    const outcome = { status: 'cancelled', code: 'cancelled', error: WORDS.cancelled } as const;
    const { next } = await store.settle(claim, claim.last, [], outcome, true);
    t.is(next?.messageId, urgent.id);
  });

  test('what interrupts a message given up for later runs at once', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    await store.release(claim, { called: true, delayMs: 600_000 });
    const urgent = aMessage(queue, { ifBusy: 'interrupt' });
    t.deepEqual(await store.enqueue(urgent), { type: 'queued', position: 1 });
    t.is((await store.message(queue, claim.messageId))?.status, 'cancelled');
    t.deepEqual((await store.sweep(10)).due, [queue]);
    t.is((await claimed(store, queue)).messageId, urgent.id);
  });

  test('a cancelled message that is given up for later ends at the next claim, not later', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [, second] = await filled(store, queue, 2);
    if (!second) return t.fail();
    const claim = await claimed(store, queue);
    await store.cancel(queue, claim.messageId);
    await store.release(claim, { called: true, delayMs: 600_000 });
    t.deepEqual((await store.sweep(10)).due, [queue]);
    t.is((await claimed(store, queue)).messageId, second.id);
    t.is((await store.message(queue, claim.messageId))?.status, 'cancelled');
  });

  test('what interrupts an idle queue just runs', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const urgent = aMessage(queue, { ifBusy: 'interrupt' });
    t.deepEqual(await store.enqueue(urgent), { type: 'queued', position: 1 });
    t.is((await claimed(store, queue)).messageId, urgent.id);
  });

  test('what has waited for too long expires when it would be claimed', async (t) => {
    const place = await aPlace(t);
    const queue = aQueue();
    const patient = await place.broker();
    const old = await filled(patient, queue, 2);
    const store = await place.broker({ messageTtlMs: 50 });
    await until(async () => {
      const { now, waiting } = await store.queue(queue);
      return waiting.every(({ queuedAt }) => now > queuedAt + 50);
    });
    // On a busy machine a fresh one may grow old too before it is claimed; then the next one is tried.
    const claim = await until(async () => {
      const fresh = await queued(store, queue);
      const next = await store.claim(queue);
      return next && { ...next, fresh: fresh.id };
    });
    t.is(claim.messageId, claim.fresh);
    for (const { id } of old) t.deepEqual((await logOf(store, queue, id))?.at(-1), endEvent(id, 'expired'));
    t.like(await counts(store), { activeQueues: 1, waiting: 0, processing: 1 });
  });

  test('what has waited for too long expires even if nobody claims', async (t) => {
    const store = await (await aPlace(t)).broker({ messageTtlMs: 30 });
    const queues = [aQueue(), aQueue(), aQueue()];
    const watcher = new Watcher();
    for (const queue of queues) await store.watch(queue, watcher.onChange);
    const messages = [];
    for (const queue of queues) messages.push(...(await filled(store, queue, 3)));
    await until(async () => {
      await store.sweep(0);
      return (await counts(store)).activeQueues === 0;
    });
    for (const { id, queue } of messages) {
      await watcher.first(({ messageId, last }) => messageId === id && last === 2);
      t.deepEqual((await logOf(store, queue, id))?.at(-1), endEvent(id, 'expired'));
    }
    t.deepEqual(await store.sweep(10), {
      due: [],
      more: false,
      destinations: [],
      counts: { ...IDLE, oldestWaitMs: 0, callbacks: 0, deadLetters: 0 },
      totals: { accepted: 9, completed: 0, failed: 0, cancelled: 0, expired: 9 },
      complete: true,
    });
  });

  test('a message is told with its times, attempts and end', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [first, second] = await filled(store, queue, 2);
    if (!first || !second) return t.fail();
    t.is(await store.message(queue, 'unknown'), undefined);
    t.is(await store.message(aQueue(), first.id), undefined);
    const waiting = { startedAt: undefined, endedAt: undefined, failure: undefined, attempts: 0, last: 1 };
    t.like(await store.message(queue, second.id), { id: second.id, status: 'queued', position: 2, ...waiting });
    const claim = await claimed(store, queue);
    const again = await store.retry(claim, claim.last, 'why');
    const working = await store.message(queue, first.id);
    t.like(working, { status: 'processing', position: 0, attempts: 2, endedAt: undefined, last: 3 });
    t.true((working?.startedAt ?? 0) >= (working?.queuedAt ?? Number.NaN));
    await store.settle(again, again.last, [], FAILED, false);
    const ended = await store.message(queue, first.id);
    t.like(ended, {
      status: 'failed',
      startedAt: working?.startedAt,
      failure: { code: FAILED.code, error: FAILED.error },
      last: 4,
    });
    t.true((ended?.endedAt ?? 0) >= (ended?.startedAt ?? Number.NaN));
  });

  test('dead letters are told newest first, page by page', async (t) => {
    const store = await (await aPlace(t)).broker();
    t.deepEqual(await store.deadLetters(10), []);
    const dead: string[] = [];
    // Many in one millisecond, and over more queues than a store may keep together.
    await Promise.all(
      Array.from({ length: 120 }, async () => {
        const queue = aQueue();
        await filled(store, queue, 1);
        const claim = await claimed(store, queue);
        await store.settle(claim, claim.last, [], FAILED, true);
        dead.push(claim.messageId);
      }),
    );
    const whole = await store.deadLetters(1000);
    t.deepEqual(whole.map(({ messageId }) => messageId).toSorted(), dead.toSorted());
    t.deepEqual(
      whole,
      whole.toSorted((a, b) => b.endedAt - a.endedAt || (a.messageId < b.messageId ? 1 : -1)),
    );
    t.like(whole[0], { attempts: 1, code: FAILED.code, error: FAILED.error });
    for (const limit of [1, 7, 120, 121]) {
      const pages = [];
      for (let page = await store.deadLetters(limit); page.length > 0; ) {
        t.true(page.length <= limit);
        pages.push(...page);
        page = await store.deadLetters(limit, page.at(-1));
      }
      t.deepEqual(pages, whole);
    }
  });

  test('a dead letter is forgotten after a time of its own', async (t) => {
    const store = await (await aPlace(t)).broker({ deadLetterRetentionMs: 50 });
    const queue = aQueue();
    const [failed, done] = await filled(store, queue, 2);
    if (!failed || !done) return t.fail();
    const first = await claimed(store, queue);
    const { next } = await store.settle(first, first.last, [], FAILED, true);
    if (!next) return t.fail();
    await store.settle(next, next.last, [], COMPLETED, true);
    await until(async () => {
      await store.sweep(0);
      return (await store.deadLetters(10)).length === 0 && !(await store.message(queue, failed.id));
    });
    t.is((await store.message(queue, done.id))?.status, 'completed');
  });

  test('only what failed is a dead letter, and outlives what did not', async (t) => {
    const store = await (await aPlace(t)).broker({ retentionMs: 50 });
    const queue = aQueue();
    const [failed, done] = await filled(store, queue, 2);
    if (!failed || !done) return t.fail();
    const first = await claimed(store, queue);
    const { next } = await store.settle(first, first.last, workerEvents('a'), FAILED, true);
    if (!next) return t.fail();
    await store.settle(next, next.last, [], COMPLETED, true);
    await until(async () => {
      await store.sweep(0);
      return !(await store.message(queue, done.id));
    });
    t.like(await store.deadLetters(10), [{ messageId: failed.id, queue }]);
    t.is((await logOf(store, queue, failed.id))?.length, 4, 'with its log');
  });

  test('a dead letter put back is at the end of its queue, as if it had just been accepted', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const message = aMessage(queue, { deduplicationKeys: ['key'] });
    await store.enqueue(message);
    t.is(await store.requeue(queue, 'unknown'), undefined);
    t.is(await store.requeue(aQueue(), message.id), undefined);
    t.deepEqual(await store.requeue(queue, message.id), { type: 'not_failed', status: 'queued' });
    const first = await claimed(store, queue);
    t.deepEqual(await store.requeue(queue, message.id), { type: 'not_failed', status: 'processing' });
    await store.append(first, first.last, workerEvents('a', 'b'));
    await store.settle(first, first.last + 2, [], FAILED, true);
    const other = await queued(store, queue);

    t.deepEqual(await store.requeue(queue, message.id), { type: 'queued', position: 2 });
    t.deepEqual(await store.requeue(queue, message.id), { type: 'not_failed', status: 'queued' });
    t.deepEqual(await store.deadLetters(10), []);
    t.like(await store.message(queue, message.id), {
      status: 'queued',
      position: 2,
      attempts: 0,
      endedAt: undefined,
      last: 6,
    });
    t.deepEqual(await logOf(store, queue, message.id), [
      { name: 'queued', data: JSON.stringify({ message_id: message.id, queue_position: 2 }) },
    ]);
    for (const after of [0, 3, 5]) t.like(await store.read(queue, message.id, after, 10), { after: 5, last: 6 });
    t.like(await store.read(queue, message.id, 6, 10), { after: 6, events: [] });
    const again = aMessage(queue, { deduplicationKeys: ['key'] });
    t.deepEqual(await store.enqueue(again), { type: 'duplicate', id: message.id, status: 'queued', position: 2 });
    t.like(await counts(store), { activeQueues: 1, waiting: 2, processing: 0 });
    await assertLost(t, store, first);

    const ahead = await claimed(store, queue);
    t.is(ahead.messageId, other.id);
    const { next } = await store.settle(ahead, ahead.last, [], COMPLETED, true);
    t.like(next, { messageId: message.id, payload: message.payload, attempt: 1, last: 7 });
    if (!next) return t.fail();
    await store.settle(next, next.last, [], COMPLETED, true);
    t.like(await store.message(queue, message.id), { status: 'completed', failure: undefined });
    t.deepEqual(await store.requeue(queue, message.id), { type: 'not_failed', status: 'completed' });
  });

  test('a full queue takes no dead letter back', async (t) => {
    const store = await (await aPlace(t)).broker({ maxQueueLength: 1 });
    const queue = aQueue();
    const message = await queued(store, queue);
    const claim = await claimed(store, queue);
    await store.settle(claim, claim.last, [], FAILED, true);
    await filled(store, queue, 1);
    t.deepEqual(await store.requeue(queue, message.id), { type: 'full', length: 1 });
    t.is((await store.deadLetters(1))[0]?.messageId, message.id);
  });
}
