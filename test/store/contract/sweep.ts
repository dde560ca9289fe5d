import type { Counts } from '../../../src/store/store.ts';
import {
  aMessage,
  aQueue,
  CALLED,
  COMPLETED,
  claimed,
  type Declare,
  FAILED,
  filled,
  type MakePlace,
  renewal,
  until,
  workerEvents,
} from './kit.ts';

/** Which queues somebody should look after, and what is counted of all of them. */
export function sweepContract(test: Declare, aPlace: MakePlace): void {
  test('due queues and counts are right after every step', async (t) => {
    const store = await (await aPlace(t)).broker({ maxQueueLength: 2 });
    const queue = aQueue();
    const other = aQueue();
    const sees = async (due: readonly string[], counts: Partial<Counts>) => {
      const swept = await store.sweep(10);
      t.deepEqual(swept.due.toSorted(), due.toSorted());
      t.like(swept.counts, counts);
      if (!counts.waiting) t.is(swept.counts.oldestWaitMs, 0);
    };
    await sees([], { activeQueues: 0, waiting: 0, processing: 0 });
    const message = aMessage(queue, { deduplicationKeys: ['key'] });
    await store.enqueue(message);
    await sees([queue], { activeQueues: 1, waiting: 1, processing: 0 });
    await store.enqueue(message);
    await store.enqueue(aMessage(queue, { deduplicationKeys: ['key'] }));
    await sees([queue], { activeQueues: 1, waiting: 1, processing: 0 });
    await filled(store, queue, 2);
    await sees([queue], { activeQueues: 1, waiting: 2, processing: 0 });
    await filled(store, other, 1);
    await sees([queue, other], { activeQueues: 2, waiting: 3, processing: 0 });

    const first = await claimed(store, queue);
    await sees([other], { activeQueues: 2, waiting: 2, processing: 1 });
    await filled(store, queue, 1);
    await sees([other], { activeQueues: 2, waiting: 3, processing: 1 });
    await store.append(first, first.last, workerEvents('a'));
    await store.retry(first, first.last + 1, 'why');
    await renewal(store, [first]);
    await sees([other], { activeQueues: 2, waiting: 3, processing: 1 });
    await store.release(first, CALLED);
    await sees([queue, other], { activeQueues: 2, waiting: 3, processing: 1 });
    const again = await claimed(store, queue);
    await sees([other], { activeQueues: 2, waiting: 3, processing: 1 });
    const { next: second } = await store.settle(again, again.last, [], COMPLETED, true);
    await store.settle(again, again.last, [], COMPLETED, true);
    await sees([other], { activeQueues: 2, waiting: 2, processing: 1 });
    if (!second) return t.fail();
    await store.settle(second, second.last, [], FAILED, false);
    await store.settle(second, second.last, [], FAILED, false);
    await sees([queue, other], { activeQueues: 2, waiting: 2, processing: 0 });
    const third = await claimed(store, queue);
    await sees([other], { activeQueues: 2, waiting: 1, processing: 1 });
    await store.settle(third, third.last, [], COMPLETED, true);
    await store.settle(third, third.last, [], COMPLETED, true);
    await sees([other], { activeQueues: 1, waiting: 1, processing: 0 });
    const last = await claimed(store, other);
    await sees([], { activeQueues: 1, waiting: 0, processing: 1 });
    await store.settle(last, last.last, [], COMPLETED, false);
    await sees([], { activeQueues: 0, waiting: 0, processing: 0 });
  });

  test('a claim taken over is counted once', async (t) => {
    const place = await aPlace(t);
    const one = await place.broker({ leaseMs: 50 });
    const queue = aQueue();
    await filled(one, queue, 1);
    const old = await claimed(one, queue);
    const other = await place.broker();
    const taken = await until(() => other.claim(queue));
    t.like((await other.sweep(10)).counts, { activeQueues: 1, waiting: 0, processing: 1 });
    await other.release(old, CALLED);
    t.deepEqual(await other.sweep(10), {
      due: [],
      more: false,
      destinations: [],
      counts: { activeQueues: 1, waiting: 0, processing: 1, oldestWaitMs: 0, callbacks: 0, deadLetters: 0 },
      totals: { accepted: 1, completed: 0, failed: 0, cancelled: 0, expired: 0 },
      complete: true,
    });
    await other.settle(taken, taken.last, [], COMPLETED, true);
    t.like((await other.sweep(10)).counts, { activeQueues: 0, waiting: 0, processing: 0 });
  });

  test('a sweep answers at most so many queues, those due for longest first', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queues = Array.from({ length: 20 }, aQueue);
    for (const queue of queues) {
      await filled(store, queue, 1);
      // Each due in a millisecond of its own.
      await until(async () => {
        const { now, waiting } = await store.queue(queue);
        return waiting.every(({ queuedAt }) => now > queuedAt);
      });
    }
    t.deepEqual((await store.sweep(100)).due, queues);
    t.deepEqual((await store.sweep(10)).due, queues.slice(0, 10));
    t.deepEqual((await store.sweep(0)).due, []);
    t.is((await store.sweep(0)).counts.activeQueues, 20);
  });

  test('the oldest wait is that of the first message that still waits', async (t) => {
    const store = await (await aPlace(t)).broker();
    const [one, other] = [aQueue(), aQueue()];
    const age = async () => (await store.sweep(0)).counts.oldestWaitMs;
    await filled(store, one, 1);
    await until(async () => (await age()) >= 20);
    await filled(store, other, 1);
    await filled(store, one, 1);
    const first = await claimed(store, one);
    const [head] = (await store.queue(other)).waiting;
    if (!head) return t.fail();
    // The one claimed counts no more: nothing that waits is older than the head of the other queue.
    const before = (await store.queue(other)).now;
    const oldest = await age();
    t.true(oldest >= before - head.queuedAt);
    t.true(oldest <= (await store.queue(other)).now - head.queuedAt);
    await store.claim(other);
    const { next } = await store.settle(first, first.last, [], COMPLETED, true);
    t.truthy(next);
    t.is(await age(), 0);
  });

  test('how many messages were accepted, and how they ended, is counted whichever way it comes about', async (t) => {
    const place = await aPlace(t);
    const store = await place.broker({ messageTtlMs: 60_000 });
    const queue = aQueue();
    await filled(store, queue, 2);
    const message = aMessage(queue);
    await store.enqueue(message);
    await store.enqueue(message);
    const claim = await claimed(store, queue);
    await store.settle(claim, claim.last, [], COMPLETED, false);
    await store.settle(claim, claim.last, [], COMPLETED, false);
    const failing = await claimed(store, queue);
    await store.settle(failing, failing.last, [], FAILED, false);
    await store.cancel(queue, message.id);
    t.deepEqual((await store.sweep(0)).totals, { accepted: 3, completed: 1, failed: 1, cancelled: 1, expired: 0 });
    await store.requeue(queue, failing.messageId);
    await store.requeue(queue, failing.messageId);
    t.is((await store.sweep(0)).totals.accepted, 4, 'one that is retried ends once more, and is accepted once more');
    await store.enqueue(aMessage(queue, { ifBusy: 'interrupt' }));
    const hasty = await place.broker({ messageTtlMs: 1 });
    await until(async () => (await hasty.sweep(0)).totals.expired === 1);
    t.deepEqual((await hasty.sweep(0)).totals, { accepted: 5, completed: 1, failed: 1, cancelled: 2, expired: 1 });
  });
}
