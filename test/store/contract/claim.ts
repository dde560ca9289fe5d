import { ClaimLost } from '../../../src/errors.ts';
import type { NewMessage } from '../../../src/store/store.ts';
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
  renewal,
  seen,
  until,
  Watcher,
  workerEvents,
} from './kit.ts';

/** Who may work on a message, and who no longer. */
export function claimContract(test: Declare, aPlace: MakePlace): void {
  test('there is nothing to claim in an empty queue', async (t) => {
    const store = await (await aPlace(t)).broker();
    t.is(await store.claim(aQueue()), undefined);
    t.deepEqual((await store.sweep(10)).due, []);
  });

  test('a message that is alone in its queue may be claimed as it is accepted, and is claimed as any other', async (t) => {
    const store = await (await aPlace(t)).broker();
    const [queue, usual] = [aQueue(), aQueue()];
    const watcher = new Watcher();
    await store.watch(queue, watcher.onChange);
    const callback = { url: 'https://example.org/', details: '{}', from: 'start' } as const;
    const given = {
      payload: '{"text":"é"}',
      trace: { requestId: 'r', userId: 'naomi' },
      deduplicationKeys: ['key'],
      callback,
    };
    const message = aMessage(queue, given);
    const accepted = await store.enqueue(message, true);
    if (accepted.type !== 'queued' || !accepted.claimed) return t.fail();
    t.is(accepted.position, 1);
    await store.enqueue(aMessage(usual, given));
    const other = await claimed(store, usual);
    const { token, waitedMs, ...begun } = accepted.claimed;
    t.deepEqual(begun, {
      queue,
      messageId: message.id,
      attempt: 1,
      payload: message.payload,
      trace: message.trace,
      last: 2,
      callback: { url: callback.url, from: 'start' },
    });
    t.true(token > 0);
    await watcher.first(({ messageId, last, moved }) => messageId === message.id && last === 2 && moved);
    const logs = await Promise.all([logOf(store, queue, message.id), logOf(store, usual, other.messageId)]);
    t.deepEqual(
      logs[0]?.map(({ name }) => name),
      logs[1]?.map(({ name }) => name),
    );
    const { queuedAt, startedAt, ...state } = (await store.message(queue, message.id)) ?? t.fail();
    t.like(state, { status: 'processing', attempts: 1, position: 0, callback: { status: 'pending' } });
    t.is((startedAt ?? 0) - queuedAt, waitedMs);
    t.deepEqual((await store.queue(queue)).waiting, []);
    const { counts, totals, due } = await store.sweep(10);
    t.like(counts, { activeQueues: 2, waiting: 0, processing: 2, callbacks: 2 });
    t.is(totals.accepted, 2);
    t.deepEqual(due, []);
    t.like(await store.enqueue(aMessage(queue, { deduplicationKeys: ['key'] }), true), {
      type: 'duplicate',
      id: message.id,
      status: 'processing',
    });
    await store.settle(accepted.claimed, 2, workerEvents('one'), COMPLETED, true);
    t.like(await store.message(queue, message.id), { status: 'completed', last: 4 });
    t.like((await store.sweep(10)).counts, { activeQueues: 1, processing: 1 });
  });

  test('a message that is not alone in its queue, or interrupts, is not claimed as it is accepted', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const enqueue = (ifBusy: NewMessage['ifBusy'] = 'enqueue') => store.enqueue(aMessage(queue, { ifBusy }), true);
    await filled(store, queue, 1);
    t.deepEqual(await enqueue(), { type: 'queued', position: 2 }, 'another one waits');
    const held = await claimed(store, queue);
    await store.clear(queue);
    t.deepEqual(await enqueue(), { type: 'queued', position: 1 }, 'another one is worked on');
    await store.clear(queue);
    t.deepEqual(await enqueue('reject'), { type: 'busy' });
    await store.release(held, CALLED);
    t.deepEqual(await enqueue(), { type: 'queued', position: 1 }, 'another one is to be worked on again');
    await store.clear(queue);
    const again = await claimed(store, queue);
    t.is(again.messageId, held.messageId);
    await store.settle(again, again.last, [], COMPLETED, false);
    t.deepEqual(await enqueue('interrupt'), { type: 'queued', position: 1 });
    const only = await claimed(store, queue);
    await store.settle(only, only.last, [], COMPLETED, false);
    t.like(await enqueue('reject'), { type: 'queued', claimed: { attempt: 1 } }, 'nothing else is there');
  });

  test('a claim of the own broker from before is claimed anew, as the next attempt', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [message] = await filled(store, queue, 2);
    const first = await claimed(store, queue);
    await store.append(first, first.last, workerEvents('void'));
    const second = await claimed(store, queue);
    t.like(second, {
      messageId: message?.id,
      payload: message?.payload,
      attempt: 2,
      last: 5,
    });
    t.true(second.waitedMs >= first.waitedMs);
    t.true(second.token > first.token);
    t.deepEqual((await logOf(store, queue, first.messageId))?.slice(3), [
      {
        name: 'retrying',
        data: JSON.stringify({
          message_id: message?.id,
          attempt: 2,
          reason: 'the broker that worked on it stopped, or lost the store',
        }),
      },
      { name: 'processing', data: JSON.stringify({ message_id: message?.id, attempt: 2 }) },
    ]);
    await assertLost(t, store, first);
  });

  test('a claim that ran out is taken over by another broker, and its writes are refused from then on', async (t) => {
    const place = await aPlace(t);
    const one = await place.broker({ leaseMs: 50 });
    const queue = aQueue();
    const [message] = await filled(one, queue, 2);
    const old = await claimed(one, queue);
    await one.append(old, old.last, workerEvents('first'));

    const other = await place.broker();
    const taken = await until(() => other.claim(queue));
    t.like(taken, { messageId: message?.id, payload: message?.payload, attempt: 2, last: 5 });
    t.true(taken.token > old.token);
    await assertLost(t, other, old);

    await other.append(taken, taken.last, workerEvents('second'));
    const settled = await other.settle(taken, taken.last + 1, [], COMPLETED, false);
    t.true(settled.waiting);
    await t.throwsAsync(other.settle(old, old.last, [], FAILED, true), { instanceOf: ClaimLost });
    t.is((await other.read(queue, old.messageId, 0, 100))?.status, 'completed');
  });

  test('a queue whose claim ran out is due', async (t) => {
    const store = await (await aPlace(t)).broker({ leaseMs: 50 });
    const queue = aQueue();
    await filled(store, queue, 1);
    await claimed(store, queue);
    await until(async () => (await store.sweep(10)).due.includes(queue));
    t.is((await claimed(store, queue)).attempt, 2);
  });

  test('a message given up is due at once, as the next attempt, before those behind it', async (t) => {
    const place = await aPlace(t);
    const store = await place.broker();
    const queue = aQueue();
    const [message] = await filled(store, queue, 2);
    const first = await claimed(store, queue);
    t.deepEqual((await store.sweep(10)).due, []);
    await store.release(first, CALLED);
    await store.release(first, CALLED);
    t.deepEqual((await store.sweep(10)).due, [queue]);
    await assertLost(t, store, first);
    t.deepEqual((await store.sweep(10)).due, [queue], 'nor is it held again by a renewal that came late');

    const other = await place.broker();
    const second = await claimed(other, queue);
    t.like(second, { messageId: message?.id, attempt: 2 });
    await other.release(first, CALLED);
    t.deepEqual(await renewal(other, [second]), HELD, 'a claim lost before takes nothing from the one that came after');
    t.deepEqual((await other.sweep(10)).due, []);
  });

  test('an attempt whose call was not made is not counted, and a message is due again when it is said to be', async (t) => {
    const place = await aPlace(t);
    const store = await place.broker();
    const queue = aQueue();
    await filled(store, queue, 1);
    const first = await claimed(store, queue);
    const second = await store.retry(first, first.last, 'busy');
    await store.release(second, { called: false, delayMs: 100 });
    t.is((await store.message(queue, first.messageId))?.attempts, 1);
    const other = await place.broker();
    const again = await until(() => other.claim(queue));
    t.like(again, { attempt: 2, last: 4 });
    t.deepEqual(
      (await logOf(other, queue, first.messageId))?.slice(2).map(({ name }) => name),
      ['retrying', 'processing'],
    );
    await assertLost(t, other, second);

    await other.release(again, { called: true, delayMs: 0 });
    t.like(await claimed(other, queue), { attempt: 3, last: 6 });
  });

  test('a message that is due later is not claimed before, nor due', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await filled(store, queue, 2);
    const claim = await claimed(store, queue);
    await store.release(claim, { called: true, delayMs: 600_000 });
    t.is(await store.claim(queue), undefined);
    t.deepEqual((await store.sweep(10)).due, []);
    t.like(await store.cancel(queue, claim.messageId), { type: 'cancelled' }, 'yet it can be cancelled at once');
    t.not((await claimed(store, queue)).messageId, claim.messageId);
  });

  test('renewing answers the claims that were lost', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queues = [aQueue(), aQueue(), aQueue(), aQueue()];
    for (const queue of queues) await filled(store, queue, 2);
    const claims = await Promise.all(queues.map((queue) => claimed(store, queue)));
    t.deepEqual(await renewal(store, claims), HELD);
    const [held, settled, released, retaken] = claims;
    if (!held || !settled || !released || !retaken) return t.fail();
    await store.settle(settled, settled.last, [], COMPLETED, true);
    await store.release(released, CALLED);
    await store.claim(retaken.queue);
    t.deepEqual(await renewal(store, claims), { lost: [settled, released, retaken], cancelled: [] });
    t.deepEqual(await renewal(store, [held]), HELD);
    t.deepEqual(await renewal(store, []), HELD);
  });

  test('a claim that is renewed stays', async (t) => {
    const place = await aPlace(t);
    const store = await place.broker({ leaseMs: 50 });
    const queue = aQueue();
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    await until(async () => (await store.sweep(1)).due.includes(queue));
    // Late, but before anybody else came.
    t.deepEqual(await renewal(store, [claim]), HELD);
    await store.append(claim, claim.last, workerEvents('still here'));
    t.is((await logOf(store, queue, claim.messageId))?.length, 3);
  });

  test('a try that failed is told in the log and counted', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [message] = await filled(store, queue, 1);
    const first = await claimed(store, queue);
    const second = await store.retry(first, first.last, 'the worker is "busy"');
    t.deepEqual(second, { ...first, attempt: 2, last: 3 });
    t.deepEqual((await logOf(store, queue, first.messageId))?.at(-1), {
      name: 'retrying',
      data: JSON.stringify({ message_id: message?.id, attempt: 2, reason: 'the worker is "busy"' }),
    });
    t.is((await store.queue(queue)).processing?.attempt, 2);
    t.deepEqual(await store.retry(first, first.last, 'the worker is "busy"'), second, 'a repeat');
    t.is((await logOf(store, queue, first.messageId))?.length, 3);

    await store.append(second, second.last, workerEvents('works now'));
    const taken = await claimed(store, queue);
    t.like(taken, { attempt: 3, last: 6 });
  });

  for (const how of ['runs out', 'is given up'] as const) {
    test(`an attempt that was only told of is not counted when its claim ${how}`, async (t) => {
      const place = await aPlace(t);
      const store = await place.broker();
      const queue = aQueue();
      await filled(store, queue, 1);
      const first = await claimed(store, queue);
      const second = await store.retry(first, first.last, 'busy');
      // Whoever gives it up may not know yet that the next attempt is counted.
      if (how === 'is given up') await store.release(first, CALLED);
      const third = await claimed(store, queue);
      t.like(third, { attempt: second.attempt, last: second.last + 1 });
      t.is((await store.message(queue, first.messageId))?.attempts, second.attempt);
      t.deepEqual(
        (await logOf(store, queue, first.messageId))?.map(({ name }) => name),
        ['queued', 'processing', 'retrying', 'processing'],
      );
      // From here on a call may have been made.
      t.like(await claimed(store, queue), { attempt: third.attempt + 1 });
    });
  }

  test('settling ends a message and takes the next only if asked to', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [, second, third] = await filled(store, queue, 3);
    if (!second || !third) return t.fail();
    const first = await claimed(store, queue);
    const { next, ...settled } = await store.settle(first, first.last, workerEvents('a', 'b'), COMPLETED, true);
    t.deepEqual(settled, { waiting: true, last: 5 });
    t.like(next, { messageId: second.id, payload: second.payload, attempt: 1, last: 2 });
    if (!next) return t.fail();
    t.deepEqual(await store.settle(next, next.last, [], FAILED, false), { next: undefined, waiting: true, last: 3 });
    t.deepEqual((await store.sweep(10)).due, [queue]);
    const last = await claimed(store, queue);
    t.is(last.messageId, third.id);
    t.deepEqual(await store.settle(last, last.last, [], COMPLETED, true), { next: undefined, waiting: false, last: 3 });
    t.deepEqual((await store.sweep(10)).due, []);
  });

  test('settling repeated answers as the first time', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await filled(store, queue, 2);
    const first = await claimed(store, queue);
    const settle = () => store.settle(first, first.last, workerEvents('a'), COMPLETED, true);
    const settled = await settle();
    const after = await seen(store, first);
    t.deepEqual(await settle(), settled);
    t.deepEqual(await seen(store, first), after);
    const { next } = settled;
    if (!next) return t.fail();
    await store.append(next, next.last, workerEvents('of the next'));

    const end = () => store.settle(next, next.last + 1, [], FAILED, true);
    const ended = await end();
    t.deepEqual(ended, { next: undefined, waiting: false, last: 4 });
    t.deepEqual(await end(), ended);
    t.like(await settle(), { next: undefined, waiting: false, last: 4 });
  });

  test('a settling repeated does not take a next one that is somebody else’s by now', async (t) => {
    const place = await aPlace(t);
    const one = await place.broker({ leaseMs: 50 });
    const queue = aQueue();
    await filled(one, queue, 3);
    const first = await claimed(one, queue);
    await one.settle(first, first.last, [], COMPLETED, true);
    const other = await place.broker();
    const taken = await until(() => other.claim(queue));
    t.deepEqual(await other.settle(first, first.last, [], COMPLETED, true), {
      next: undefined,
      waiting: true,
      last: 3,
    });
    t.deepEqual(await renewal(other, [taken]), HELD);
  });

  test('a settling repeated gives no next one that was cancelled meanwhile', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await filled(store, queue, 2);
    const first = await claimed(store, queue);
    const settle = () => store.settle(first, first.last, [], COMPLETED, true);
    const { next } = await settle();
    if (!next) return t.fail();
    t.deepEqual(await store.cancel(queue, next.messageId), { type: 'cancelling' });
    t.deepEqual(await settle(), { next: undefined, waiting: true, last: 3 });
    t.is(await store.claim(queue), undefined);
    t.is((await store.message(queue, next.messageId))?.status, 'cancelled');
  });

  test('the next claim is held for a whole lease by a settling repeated', async (t) => {
    const store = await (await aPlace(t)).broker({ leaseMs: 200 });
    const queue = aQueue();
    await filled(store, queue, 2);
    const first = await claimed(store, queue);
    const settle = () => store.settle(first, first.last, [], COMPLETED, true);
    const { next } = await settle();
    await until(async () => (await store.sweep(10)).due.includes(queue));
    // Due by now, so the answer that came late has to prolong what it hands out. It may run out again meanwhile.
    await until(async () => {
      t.deepEqual((await settle()).next, next);
      return !(await store.sweep(10)).due.includes(queue);
    });
  });

  for (const status of ['failed', 'cancelled', 'expired'] as const) {
    test(`a message can end as ${status}`, async (t) => {
      const store = await (await aPlace(t)).broker();
      const queue = aQueue();
      const message = aMessage(queue, { deduplicationKeys: ['key'] });
      await store.enqueue(message);
      const claim = await claimed(store, queue);
      const outcome = { status, code: 'why', error: 'Because "of" it.' };
      const { last } = await store.settle(claim, claim.last, workerEvents('a'), outcome, true);
      const page = await store.read(queue, message.id, 0, 100);
      t.like(page, { status, position: 0, last });
      t.deepEqual(page?.events.at(-1), { name: 'error', data: JSON.stringify({ message_id: message.id, ...outcome }) });
      t.like(await store.enqueue(aMessage(queue, { deduplicationKeys: ['key'] })), { type: 'duplicate', status });
    });
  }
}
