import type { NewMessage, Notice, Store } from '../../../src/store/store.ts';
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
  queued,
  settled,
  until,
} from './kit.ts';

const TTL_MS = 50;
const TRACE = { requestId: 'request', userId: 'naomi', traceparent: `00-${'4b'.repeat(16)}-${'07'.repeat(8)}-01` };

/** Answers what was told since it was asked last. */
function toldBy(store: Store): () => readonly Notice[] {
  const notices: Notice[] = [];
  store.onNotice((notice) => notices.push(notice));
  return () => notices.splice(0);
}

function noticeOf(message: NewMessage, deed: Notice['deed'], by?: string, attempt = 0): Notice {
  return { queue: message.queue, messageId: message.id, deed, attempt, trace: message.trace, by };
}

/** Resolves when all that wait in a queue have waited for longer than `TTL_MS`. */
async function grownOld(store: Store, queue: string): Promise<void> {
  await until(async () => {
    const { now, waiting } = await store.queue(queue);
    return waiting.every(({ queuedAt }) => now > queuedAt + TTL_MS);
  });
}

/** What a broker is told of what its own calls did to messages from outside. */
export function noticesContract(test: Declare, aPlace: MakePlace): void {
  test('of a message that is accepted, worked on and ended there is no notice', async (t) => {
    const store = await (await aPlace(t)).broker();
    const told = toldBy(store);
    const queue = aQueue();
    const [first] = await filled(store, queue, 3);
    if (!first) return t.fail();
    const claim = await claimed(store, queue);
    await store.append(claim, claim.last, []);
    const again = await store.retry(claim, claim.last, 'why');
    const { next } = await store.settle(again, again.last, [], COMPLETED, true);
    if (!next) return t.fail();
    await store.release(next, CALLED);
    await settled(store, queue, FAILED);
    await store.sweep(10);
    t.is(await store.cancel(queue, 'unknown', 'r'), undefined);
    await store.cancel(queue, first.id, 'r');
    await store.requeue(queue, first.id, undefined, 'r');
    await store.requeue(queue, first.id, 'callback', 'r');
    await store.discard(queue, first.id, undefined, 'r');
    await store.clear(aQueue(), 'r');
    await store.enqueue(aMessage(queue, { ifBusy: 'reject' }));
    t.deepEqual(told(), []);
  });

  test('a waiting message that is cancelled is told of, with its trace and who asked for it', async (t) => {
    const store = await (await aPlace(t)).broker();
    const told = toldBy(store);
    const queue = aQueue();
    const message = aMessage(queue, { trace: TRACE });
    await store.enqueue(message);
    const others = await filled(store, queue, 2);
    await store.cancel(queue, message.id, 'canceller');
    t.deepEqual(told(), [noticeOf(message, 'cancelled', 'canceller')]);
    await store.clear(queue, 'clearer');
    t.deepEqual(
      told(),
      others.map((other) => noticeOf(other, 'cancelled', 'clearer')),
    );
  });

  test('of a message in work it is told that it is to be cancelled, not that it has ended', async (t) => {
    const store = await (await aPlace(t)).broker();
    const told = toldBy(store);
    const queue = aQueue();
    const running = await queued(store, queue);
    const claim = await claimed(store, queue);
    await store.cancel(queue, running.id, 'canceller');
    t.deepEqual(told(), [noticeOf(running, 'cancelling', 'canceller', 1)]);

    const waiting = await queued(store, queue);
    const urgent = aMessage(queue, { ifBusy: 'interrupt' });
    const by = urgent.trace.requestId;
    await store.enqueue(urgent);
    t.deepEqual(told(), [noticeOf(waiting, 'cancelled', by), noticeOf(running, 'cancelling', by, 1)]);
    await store.enqueue(urgent);
    t.deepEqual(told(), [], 'a repeat');

    await store.release(claim, CALLED);
    t.is((await claimed(store, queue)).messageId, urgent.id);
    t.deepEqual(told(), [noticeOf(running, 'cancelled', undefined, 1)], 'the next claim has ended it');
  });

  test('a message given up that is cancelled has ended', async (t) => {
    const store = await (await aPlace(t)).broker();
    const told = toldBy(store);
    const queue = aQueue();
    for (const cancel of [
      (id: string) => store.cancel(queue, id, 'r'),
      (id: string) => store.enqueue(aMessage(queue, { ifBusy: 'interrupt', trace: { requestId: 'r' }, id: `${id}+` })),
    ]) {
      const message = await queued(store, queue);
      await store.release(await claimed(store, queue), CALLED);
      await cancel(message.id);
      t.deepEqual(told(), [noticeOf(message, 'cancelled', 'r', 1)]);
    }
  });

  test('what has waited for too long is told of, whichever call finds it', async (t) => {
    const store = await (await aPlace(t)).broker({ messageTtlMs: TTL_MS });
    const told = toldBy(store);
    const queue = aQueue();
    const expired = async (find: () => Promise<unknown>) => {
      const old = await filled(store, queue, 2);
      await grownOld(store, queue);
      await find();
      t.deepEqual(
        told(),
        old.map((message) => noticeOf(message, 'expired')),
      );
    };
    await expired(() => store.sweep(0));
    await expired(() => store.claim(queue));
    // On a busy machine a fresh one may grow old too before it is claimed; then the next one is tried.
    const claim = await until(async () => {
      await queued(store, queue);
      return store.claim(queue);
    });
    told();
    await expired(() => store.settle(claim, claim.last, [], COMPLETED, true));
  });

  test('what is put back, called back again or discarded is told of', async (t) => {
    const store = await (await aPlace(t)).broker();
    const told = toldBy(store);
    const queue = aQueue();
    const url = 'https://gateway.example/hook';
    const message = aMessage(queue, { callback: { url, details: '{}', from: 'end' } });
    await store.enqueue(message);
    await settled(store, queue, FAILED);
    await store.requeue(queue, message.id, undefined, 'r1');
    t.deepEqual(told(), [noticeOf(message, 'requeued', 'r1')]);
    await settled(store, queue, FAILED);
    const delivery = await store.outbox.claim({ queue, url });
    if (!delivery) return t.fail();
    await store.outbox.settle(delivery, { status: 'undelivered', attempts: 1, error: 'no' });
    await store.requeue(queue, message.id, 'callback', 'r2');
    t.deepEqual(told(), [noticeOf(message, 'redelivering', 'r2', 1)]);
    await store.discard(queue, message.id, undefined, 'r3');
    t.deepEqual(told(), [noticeOf(message, 'discarded', 'r3', 1)]);
  });
}
