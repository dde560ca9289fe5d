import { StoreUnavailable } from '../../../src/errors.ts';
import type { Change } from '../../../src/store/store.ts';
import {
  aMessage,
  aQueue,
  COMPLETED,
  claimed,
  type Declare,
  filled,
  logOf,
  type MakePlace,
  queued,
  Watcher,
  workerEvents,
} from './kit.ts';

/** Who is told of what, and how a store ends. */
export function watchContract(test: Declare, aPlace: MakePlace): void {
  test('a watcher is told every event that this broker writes, in order and with its text', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const watcher = new Watcher();
    await store.watch(queue, watcher.onChange);
    await filled(store, queue, 2);
    const first = await claimed(store, queue);
    await store.append(first, 2, workerEvents('a', 'b'));
    const second = await store.retry(first, 4, 'why');
    await store.append(second, 5, workerEvents('c'));
    const third = await claimed(store, queue);
    const { next } = await store.settle(third, third.last, workerEvents('d'), COMPLETED, true);
    if (!next) return t.fail();
    await store.settle(next, next.last, [], COMPLETED, true);
    await watcher.first(({ messageId, last }) => messageId === next.messageId && last === 3);

    for (const { messageId } of [first, next]) {
      const told: unknown[] = [];
      for (const change of watcher.changes.filter((change) => change.messageId === messageId)) {
        t.is(change.last, 1 + told.length + (change.events?.length ?? Number.NaN), 'nothing is left out');
        told.push(...(change.events ?? []));
      }
      t.deepEqual(told, (await logOf(store, queue, messageId))?.slice(1));
    }
    const moves = watcher.changes.filter((change: Change) => change.moved);
    t.deepEqual(
      moves.map(({ messageId }) => messageId),
      [first.messageId, next.messageId],
    );
  });

  test('watchers on every broker hear that the worker is still at it', async (t) => {
    const place = await aPlace(t);
    const one = await place.broker();
    const queue = aQueue();
    await filled(one, queue, 1);
    const claim = await claimed(one, queue);
    const own = new Watcher();
    await one.watch(queue, own.onChange);
    one.keepalive(claim, '{"type":"keepalive"}');
    const alive = (watcher: Watcher) =>
      watcher.first(
        ({ keepalive, messageId }) => messageId === claim.messageId && keepalive === '{"type":"keepalive"}',
      );
    await alive(own);
    t.is((await one.read(queue, claim.messageId, 0, 10))?.last, 2, 'and nothing of it is stored');
    if (one.kind === 'embedded') return;
    const other = await place.broker();
    const watcher = new Watcher();
    await other.watch(queue, watcher.onChange);
    one.keepalive(claim, '{"type":"keepalive"}');
    await alive(watcher);
  });

  test('a write that was refused is told to nobody', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const watcher = new Watcher();
    await filled(store, queue, 1);
    const old = await claimed(store, queue);
    const claim = await claimed(store, queue);
    await store.watch(queue, watcher.onChange);
    await t.throwsAsync(store.append(old, old.last, workerEvents('late')));
    await t.throwsAsync(store.append(claim, 99, workerEvents('gap')));
    await t.throwsAsync(store.settle(old, old.last, workerEvents('late'), COMPLETED, true));
    await store.append(claim, claim.last, workerEvents('good'));
    await watcher.first(({ last }) => last === claim.last + 1);
    t.is(watcher.changes.length, 1);
  });

  test('watchers hear of their own queue until they leave, each by itself', async (t) => {
    const store = await (await aPlace(t)).broker();
    const [queue, other] = [aQueue(), aQueue()];
    const [staying, leaving, elsewhere] = [new Watcher(), new Watcher(), new Watcher()];
    const stops = [
      await store.watch(queue, staying.onChange),
      // The same function twice: each goes by itself.
      await store.watch(queue, leaving.onChange),
      await store.watch(queue, leaving.onChange),
    ];
    await store.watch(other, elsewhere.onChange);
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    await staying.first(({ last }) => last === 2);
    t.is(leaving.changes.length, 2);
    stops[1]?.();
    stops[1]?.();
    await store.append(claim, 2, workerEvents('a'));
    await staying.first(({ last }) => last === 3);
    t.is(leaving.changes.length, 3);
    stops[2]?.();
    await store.append(claim, 3, workerEvents('b'));
    await staying.first(({ last }) => last === 4);
    t.is(leaving.changes.length, 3);
    stops[0]?.();
    await store.append(claim, 4, workerEvents('c'));

    const back = new Watcher();
    await store.watch(queue, back.onChange);
    await store.append(claim, 5, workerEvents('d'));
    await back.first(({ last }) => last === 6);
    t.is(staying.changes.length, 3);
    t.is(elsewhere.changes.length, 0);
  });

  test('what was stored is found by the next broker', async (t) => {
    const place = await aPlace(t);
    const one = await place.broker();
    const queue = aQueue();
    const [first, second] = [await queued(one, queue), await queued(one, queue)];
    const claim = await claimed(one, queue);
    await one.settle(claim, claim.last, workerEvents('a'), COMPLETED, false);
    await one.close();
    const other = await place.broker();
    t.is((await other.read(queue, first.id, 0, 10))?.status, 'completed');
    t.deepEqual((await other.sweep(10)).due, [queue]);
    t.is((await claimed(other, queue)).messageId, second.id);
  });

  test('a closed store says so, and can be closed again', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const watcher = new Watcher();
    await store.watch(queue, watcher.onChange);
    await store.ping();
    await store.close();
    await store.close();
    const unavailable = { instanceOf: StoreUnavailable };
    await t.throwsAsync(store.ping(), unavailable);
    await t.throwsAsync(store.enqueue(aMessage(queue)), unavailable);
    await t.throwsAsync(store.claim(queue), unavailable);
    await t.throwsAsync(store.read(queue, 'any', 0, 1), unavailable);
    await t.throwsAsync(store.queue(queue), unavailable);
    await t.throwsAsync(store.sweep(1), unavailable);
    t.deepEqual(watcher.changes, []);
  });
}
