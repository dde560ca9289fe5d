import { ClaimLost } from '../../../src/errors.ts';
import type { Callback, DeliveryEnd } from '../../../src/store/outbox.ts';
import type { Store } from '../../../src/store/store.ts';
import {
  aMessage,
  aQueue,
  CALLED,
  COMPLETED,
  claimed,
  type Declare,
  FAILED,
  logOf,
  type MakePlace,
  queued,
  settled,
  until,
  workerEvents,
} from './kit.ts';

const URL = 'https://gateway.example/hook?a=1:2';
const DELIVERED: DeliveryEnd = { status: 'delivered', attempts: 1, error: '' };
const UNDELIVERED: DeliveryEnd = { status: 'undelivered', attempts: 7, error: 'the endpoint answered 500' };

function aCallback(more: Partial<Callback> = {}): Callback {
  return { url: URL, details: '{"n":1}', from: 'end', ...more };
}

/** A message with a callback, waiting. */
async function withCallback(store: Store, queue: string, more: Partial<Callback> = {}) {
  const message = aMessage(queue, { callback: aCallback(more) });
  await store.enqueue(message);
  return message;
}

/** One that has come to its end. */
async function ended(store: Store, queue: string, outcome: Parameters<Store['settle']>[3] = COMPLETED) {
  const message = await withCallback(store, queue);
  await settled(store, queue, outcome);
  return message;
}

async function due(store: Store, queue: string) {
  return (await store.sweep(0)).destinations.filter((destination) => destination.queue === queue);
}

/** The next callback, which must be there. */
async function taken(store: Store, queue: string, url = URL) {
  const claim = await store.outbox.claim({ queue, url });
  if (!claim) throw new Error(`There is no callback for ${queue}`);
  return claim;
}

/** Callbacks come into the outbox with the ends of their messages, and stay there until they are made or given up. */
export function callbacksContract(test: Declare, aPlace: MakePlace): void {
  test('a callback is due when its message has ended, and not before', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const message = await withCallback(store, queue);
    t.deepEqual(await due(store, queue), []);
    const claim = await claimed(store, queue);
    t.deepEqual(claim.callback, { url: URL, from: 'end' });
    t.deepEqual(await due(store, queue), []);
    t.is((await store.message(queue, message.id))?.callback, undefined);
    await store.settle(claim, claim.last, [], COMPLETED, false);
    t.deepEqual(await due(store, queue), [{ queue, url: URL }]);
    t.is((await store.sweep(0)).counts.callbacks, 1);
    t.deepEqual((await store.message(queue, message.id))?.callback, { status: 'pending', attempts: 0, error: '' });

    const delivery = await taken(store, queue);
    t.like(delivery, { queue, url: URL, messageId: message.id, details: '{"n":1}', attempts: 0, triedForMs: 0 });
    t.deepEqual(await due(store, queue), []);
    t.is(await store.outbox.settle(delivery, DELIVERED), false);
    t.is(await store.outbox.settle(delivery, DELIVERED), false, 'a repeat');
    t.deepEqual((await store.message(queue, message.id))?.callback, DELIVERED);
    t.is((await store.sweep(0)).counts.callbacks, 0);
    t.is(await store.outbox.claim({ queue, url: URL }), undefined);
  });

  test('a message without a callback leaves nothing in the outbox', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await queued(store, queue);
    t.is((await claimed(store, queue)).callback, undefined);
    await settled(store, queue, COMPLETED);
    t.deepEqual(await due(store, queue), []);
  });

  test('whichever way a message ends, its callback is due', async (t) => {
    const place = await aPlace(t);
    const store = await place.broker({ messageTtlMs: 300 });
    const [failing, cancelled, cleared, interrupted, late] = [aQueue(), aQueue(), aQueue(), aQueue(), aQueue()];
    await ended(store, failing, FAILED);
    await store.cancel(cancelled, (await withCallback(store, cancelled)).id);
    await withCallback(store, cleared);
    await store.clear(cleared);
    await withCallback(store, interrupted);
    await store.enqueue(aMessage(interrupted, { ifBusy: 'interrupt' }));
    for (const queue of [failing, cancelled, cleared, interrupted]) t.is((await due(store, queue)).length, 1, queue);
    await withCallback(store, late);
    await until(async () => (await due(store, late)).length === 1);
  });

  test('callbacks of one destination come in the order of the ends, those of others beside them', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [first, second] = [await withCallback(store, queue), await withCallback(store, queue)];
    const elsewhere = await withCallback(store, queue, { url: 'https://other.example/' });
    await store.cancel(queue, second.id);
    for (const _ of [first, elsewhere]) await settled(store, queue, COMPLETED);
    t.is((await due(store, queue)).length, 2);
    const one = await taken(store, queue);
    t.is(one.messageId, second.id, 'which ended first');
    t.is((await taken(store, queue, 'https://other.example/')).messageId, elsewhere.id);
    t.is(await store.outbox.settle(one, DELIVERED), true, 'more wait');
    t.is((await taken(store, queue)).messageId, first.id);
  });

  test('a callback that failed is due again later, and holds back those behind it', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [first] = [await ended(store, queue), await ended(store, queue)];
    const one = await taken(store, queue);
    await store.outbox.postpone(one, { attempts: 1, error: 'the endpoint answered 503' }, 200);
    t.is(await store.outbox.claim({ queue, url: URL }), undefined, 'not yet');
    t.deepEqual(await due(store, queue), []);
    t.deepEqual((await store.message(queue, first.id))?.callback, {
      status: 'pending',
      attempts: 1,
      error: 'the endpoint answered 503',
    });
    await until(async () => (await due(store, queue)).length === 1);
    const again = await taken(store, queue);
    t.like(again, { messageId: first.id, attempts: 1 });
    t.true(again.triedForMs >= 200);
    // Given back untried.
    await store.outbox.postpone(again, { attempts: again.attempts, error: 'the endpoint answered 503' }, 0);
    t.like(await taken(store, queue), { messageId: first.id, attempts: 1 });
  });

  test('once a claim ran out and was taken over, its holder changes nothing', async (t) => {
    const place = await aPlace(t);
    const one = await place.broker({ deliveryLeaseMs: 100 });
    const queue = aQueue();
    await ended(one, queue);
    const lost = await taken(one, queue);
    t.deepEqual(await one.outbox.renew([lost]), []);
    const other = await place.broker();
    const held = await until(() => other.outbox.claim({ queue, url: URL }));
    t.true(held.token > lost.token);
    t.deepEqual(await other.outbox.renew([lost, held]), [lost]);
    await t.throwsAsync(other.outbox.settle(lost, DELIVERED), { instanceOf: ClaimLost });
    await other.outbox.postpone(lost, { attempts: 5, error: 'late' }, 0);
    t.deepEqual(await due(other, queue), []);
    t.is((await other.message(queue, held.messageId))?.callback?.attempts, 0);
    t.is(await other.outbox.settle(held, DELIVERED), false);
  });

  test('own claims of before are claimed anew', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await ended(store, queue);
    const before = await taken(store, queue);
    const now = await taken(store, queue);
    t.true(now.token > before.token);
    await t.throwsAsync(store.outbox.settle(before, DELIVERED), { instanceOf: ClaimLost });
  });

  test('what is given up is a dead letter, and can be sent again', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const message = await ended(store, queue);
    await store.outbox.settle(await taken(store, queue), UNDELIVERED);
    const [letter, ...others] = (await store.deadLetters(10)).filter((one) => one.queue === queue);
    t.deepEqual(others, []);
    t.like(letter, {
      kind: 'callback',
      messageId: message.id,
      attempts: 7,
      code: 'callback_undelivered',
      error: 'the endpoint answered 500',
    });
    t.deepEqual(await store.deadLetters(10, letter), []);
    t.deepEqual(await store.requeue(queue, message.id), { type: 'redelivering' });
    t.deepEqual(await store.requeue(queue, message.id), { type: 'not_failed', status: 'completed' });
    t.deepEqual(await store.deadLetters(10), []);
    const again = await taken(store, queue);
    t.like(again, { messageId: message.id, attempts: 0, triedForMs: 0 });
    await store.outbox.settle(again, DELIVERED);
    t.deepEqual(await store.requeue(queue, message.id), { type: 'not_failed', status: 'completed' });
  });

  test('a failed message that is retried calls back at its new end, and no more at its old one', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const message = await ended(store, queue, FAILED);
    await store.outbox.settle(await taken(store, queue), DELIVERED);
    t.like(await store.requeue(queue, message.id), { type: 'queued' });
    t.deepEqual(await due(store, queue), []);
    await settled(store, queue, FAILED);
    t.is((await due(store, queue)).length, 1);

    // Retried while its callback is being made, and others wait behind it.
    const other = await ended(store, queue);
    const old = await taken(store, queue);
    t.is(old.messageId, message.id);
    t.like(await store.requeue(queue, message.id), { type: 'queued' });
    await t.throwsAsync(store.outbox.settle(old, DELIVERED), { instanceOf: ClaimLost });
    await store.outbox.postpone(old, { attempts: 3, error: 'late' }, 60_000);
    t.is((await store.sweep(0)).counts.callbacks, 1);
    const next = await taken(store, queue);
    t.is(next.messageId, other.id);
    t.is(await store.outbox.settle(next, DELIVERED), false);
    t.is((await store.message(queue, message.id))?.callback, undefined);

    await settled(store, queue, COMPLETED);
    const last = await taken(store, queue);
    t.like(last, { messageId: message.id, attempts: 0, triedForMs: 0, told: 0, untold: 0 });
    await store.outbox.settle(last, DELIVERED);
    t.is(await store.outbox.claim({ queue, url: URL }), undefined);
  });

  test('a failed message and its callback are two dead letters, each tried again by itself', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const message = await ended(store, queue, FAILED);
    t.deepEqual(await store.requeue(queue, message.id, 'callback'), { type: 'not_undelivered' });
    await store.outbox.settle(await taken(store, queue), UNDELIVERED);
    const kinds = async () =>
      (await store.deadLetters(10)).map(({ kind, attempts }) => `${kind} ${attempts}`).toSorted();
    t.deepEqual(await kinds(), ['callback 7', 'message 1']);
    t.deepEqual(await store.requeue(queue, message.id, 'callback'), { type: 'redelivering' });
    t.deepEqual(await kinds(), ['message 1']);
    await store.outbox.settle(await taken(store, queue), UNDELIVERED);
    t.like(await store.requeue(queue, message.id), { type: 'queued' });
    t.deepEqual(await kinds(), []);
  });

  test('how far the progress of a message was told is known to whoever claims its callback next', async (t) => {
    const place = await aPlace(t);
    const store = await place.broker();
    const queue = aQueue();
    const { id } = await ended(store, queue, FAILED);
    const first = await taken(store, queue);
    t.like(first, { told: 0, untold: 0 });
    await store.outbox.checkpoint(first, { told: 3, untold: 0 });
    await store.outbox.postpone(first, { attempts: 0, error: '' }, 0);
    await t.throwsAsync(store.outbox.checkpoint(first, { told: 9, untold: 9 }), { instanceOf: ClaimLost });
    const other = await place.broker();
    const second = await taken(other, queue);
    t.like(second, { told: 3, untold: 0 });
    await other.outbox.checkpoint(second, { told: 3, untold: 5 });
    await other.outbox.settle(second, UNDELIVERED);
    await other.requeue(queue, id, 'callback');
    const third = await taken(other, queue);
    t.like(third, { messageId: id, told: 3, untold: 5 }, 'sent again it goes on from there');
    await other.outbox.settle(third, UNDELIVERED);
    await other.requeue(queue, id);
    await settled(other, queue, COMPLETED);
    t.like(await taken(other, queue), { messageId: id, told: 0, untold: 0 }, 'retried it has nothing told');
  });

  test('a callback that tells of progress has its turn when the message is claimed first', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const message = await withCallback(store, queue, { from: 'start' });
    t.deepEqual(await due(store, queue), []);
    const claim = await claimed(store, queue);
    t.deepEqual(claim.callback, { url: URL, from: 'start' });
    t.is((await taken(store, queue)).messageId, message.id);
    await store.append(claim, claim.last, workerEvents('a'));
    await store.release(claim, CALLED);
    await settled(store, queue, COMPLETED);
    const delivery = await taken(store, queue);
    t.is(delivery.messageId, message.id);
    t.is(await store.outbox.settle(delivery, DELIVERED), false, 'it is in the outbox once');
    const waiting = await withCallback(store, queue, { from: 'start' });
    await store.cancel(queue, waiting.id);
    t.is((await taken(store, queue)).messageId, waiting.id, 'one that never ran is told of at its end');
  });

  test('a message is kept while its callback is to be made, however long that takes', async (t) => {
    const store = await (await aPlace(t)).broker({ retentionMs: 200, deadLetterRetentionMs: 200 });
    const [queue, failing] = [aQueue(), aQueue()];
    const message = await ended(store, queue);
    const failed = await ended(store, failing, FAILED);
    const other = await queued(store, queue);
    await settled(store, queue, COMPLETED);
    const gone = (of: string, id: string) =>
      until(async () => {
        await store.sweep(0);
        return (await store.message(of, id)) === undefined;
      });
    await gone(queue, other.id);
    const delivery = await taken(store, queue);
    await store.outbox.postpone(delivery, { attempts: 1, error: 'later' }, 0);
    t.is((await store.message(queue, message.id))?.status, 'completed');
    t.deepEqual((await logOf(store, queue, message.id))?.at(-1)?.name, 'done');
    t.is((await store.message(failing, failed.id))?.status, 'failed');
    await store.outbox.settle(await taken(store, queue), DELIVERED);
    await gone(queue, message.id);
    await store.outbox.settle(await taken(store, failing), DELIVERED);
    await gone(failing, failed.id);
  });
}
