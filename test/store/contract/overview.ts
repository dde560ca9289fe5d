import type { Store } from '../../../src/store/store.ts';
import {
  aMessage,
  aQueue,
  claimed,
  type Declare,
  FAILED,
  filled,
  type MakePlace,
  queued,
  settled,
  until,
} from './kit.ts';

/** What the dead letters are, as many as are counted. */
async function kindsOf(store: Store): Promise<readonly string[]> {
  const kinds = (await store.deadLetters(10)).map(({ kind }) => kind).toSorted();
  const { deadLetters } = (await store.sweep(0)).counts;
  if (deadLetters !== kinds.length)
    throw new Error(`${deadLetters} dead letters are counted, ${kinds.length} are listed`);
  return kinds;
}

/** What people look at who watch over a broker: who waits longest, dead letters dealt with, the brokers there are. */
export function overviewContract(test: Declare, aPlace: MakePlace): void {
  test('the queues whose first message waits longest are told, with how many wait', async (t) => {
    const store = await (await aPlace(t)).broker();
    t.deepEqual(await store.delayed(10), []);
    const queues: string[] = [];
    for (const length of [3, 1, 2]) {
      const queue = aQueue();
      await filled(store, queue, length);
      queues.push(queue);
      const { now } = await store.queue(queue);
      await until(async () => (await store.queue(queue)).now > now + 1);
    }
    const told = await store.delayed(10);
    t.deepEqual(
      told.map(({ queue, length }) => [queue, length]),
      queues.map((queue, index) => [queue, [3, 1, 2][index]]),
    );
    t.deepEqual(
      (await store.delayed(2)).map(({ queue }) => queue),
      queues.slice(0, 2),
    );
    for (const { queue, waitMs } of told) {
      const { waiting, now } = await store.queue(queue);
      t.true(waitMs <= now - (waiting[0]?.queuedAt ?? 0) && waitMs > 0);
    }
    // What is worked on does not wait: the next one does, for less long.
    const [first = '', second = ''] = queues;
    await claimed(store, first);
    await store.clear(second);
    const after = await store.delayed(10);
    t.deepEqual(
      after.map(({ queue, length }) => [queue, length]).toSorted(),
      [
        [first, 2],
        [queues[2], 2],
      ].toSorted(),
    );
  });

  test('a dead letter that is discarded is listed no more, stays readable, and can still be retried', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [one, other] = await filled(store, queue, 2);
    if (!one || !other) return t.fail();
    const count = async () => (await store.sweep(0)).counts.deadLetters;
    await settled(store, queue, FAILED);
    t.is(await count(), 1);
    t.is(await store.discard(queue, 'unknown'), undefined);
    t.is(await store.discard('another queue', one.id), undefined);
    t.is(await store.discard(queue, other.id), false, 'it waits');
    t.is(await store.discard(queue, one.id), true);
    t.is(await store.discard(queue, one.id), true, 'a repeat answers the same');
    t.is(await count(), 0);
    await settled(store, queue, FAILED);
    t.is(await count(), 1);
    t.deepEqual(
      (await store.deadLetters(10)).map(({ messageId }) => messageId),
      [other.id],
    );
    t.like(await store.message(queue, one.id), { status: 'failed', failure: { error: FAILED.error } });
    t.deepEqual(await store.requeue(queue, one.id), { type: 'queued', position: 1 });
    // Each ends in a millisecond of its own.
    const before = (await store.message(queue, other.id))?.endedAt ?? 0;
    await until(async () => (await store.queue(queue)).now > before);
    await settled(store, queue, FAILED);
    t.deepEqual(
      (await store.deadLetters(10)).map(({ messageId }) => messageId),
      [one.id, other.id],
      'what fails anew is a dead letter anew',
    );
    t.is(await count(), 2);
  });

  test('a callback that was given up is discarded with its message, and listed anew when it is given up again', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const callback = { url: 'https://example.org/', details: '{}', from: 'end' } as const;
    const message = aMessage(queue, { callback });
    await store.enqueue(message);
    await settled(store, queue, { status: 'completed' });
    const giveUp = async () => {
      const claim = await until(() => store.outbox.claim({ queue, url: callback.url }));
      await store.outbox.settle(claim, { status: 'undelivered', attempts: 1, error: 'no' });
    };
    t.is(await store.discard(queue, message.id), false, 'it is to be made still');
    await giveUp();
    t.like(await store.deadLetters(10), [{ kind: 'callback', messageId: message.id }]);
    t.is(await store.discard(queue, message.id), true);
    t.deepEqual(await store.deadLetters(10), []);
    t.deepEqual(await store.requeue(queue, message.id, 'callback'), { type: 'redelivering' });
    await giveUp();
    t.like(await store.deadLetters(10), [{ kind: 'callback', messageId: message.id }]);
  });

  test('a callback that was given up is discarded alone, and its message that failed with it or by itself', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const callback = { url: 'https://example.org/', details: '{}', from: 'end' } as const;
    const message = aMessage(queue, { callback });
    const giveUp = async () => {
      const claim = await until(() => store.outbox.claim({ queue, url: callback.url }));
      await store.outbox.settle(claim, { status: 'undelivered', attempts: 1, error: 'no' });
    };
    const listed = () => kindsOf(store);
    await store.enqueue(message);
    await settled(store, queue, FAILED);
    t.is(await store.discard(queue, message.id, 'callback'), false, 'it is to be made still');
    await giveUp();
    t.deepEqual(await listed(), ['callback', 'message']);
    t.is(await store.discard(queue, message.id, 'callback'), true);
    t.is(await store.discard(queue, message.id, 'callback'), true, 'a repeat answers the same');
    t.deepEqual(await listed(), ['message']);
    t.deepEqual(await store.requeue(queue, message.id, 'callback'), { type: 'redelivering' });
    await giveUp();
    t.deepEqual(await listed(), ['callback', 'message']);
    t.is(await store.discard(queue, message.id), true);
    t.deepEqual(await listed(), []);
    t.deepEqual(await store.requeue(queue, message.id, 'callback'), { type: 'redelivering' });
    await giveUp();
    t.deepEqual(await listed(), ['callback'], 'the message stays discarded');
  });

  test('a broker is known by what it announced last, until it has been silent for too long', async (t) => {
    const store = await (await aPlace(t)).broker();
    await queued(store, aQueue());
    t.deepEqual(await store.brokers(), []);
    await store.announce('first', 600_000);
    await store.announce('{"second":"ä"}', 600_000);
    t.deepEqual(await store.brokers(), ['{"second":"ä"}']);
    await store.announce('soon gone', 1);
    await until(async () => (await store.brokers()).length === 0);
    await store.announce('back', 600_000);
    t.deepEqual(await store.brokers(), ['back']);
  });

  test('what is discarded of a message is what was to be seen: neither comes back with the other', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const callback = { url: 'https://example.org/', details: '{}', from: 'end' } as const;
    const { id } = aMessage(queue);
    await store.enqueue(aMessage(queue, { id, callback }));
    await settled(store, queue, FAILED);
    const giveUp = async () => {
      const claim = await until(() => store.outbox.claim({ queue, url: callback.url }));
      await store.outbox.settle(claim, { status: 'undelivered', attempts: 1, error: 'no' });
    };
    const kinds = () => kindsOf(store);
    t.is(await store.discard(queue, id), true);
    t.deepEqual(await kinds(), []);
    await giveUp();
    t.deepEqual(await kinds(), ['callback'], 'given up after the message was discarded');
    t.is(await store.discard(queue, id), true);
    t.is(await store.discard(queue, id), true, 'a repeat answers the same');
    t.deepEqual(await kinds(), []);
    t.deepEqual(await store.requeue(queue, id, 'callback'), { type: 'redelivering' });
    t.deepEqual(await kinds(), [], 'the message stays discarded');
    await giveUp();
    t.deepEqual(await kinds(), ['callback']);
    t.deepEqual(await store.requeue(queue, id), { type: 'queued', position: 1 });
    await settled(store, queue, FAILED);
    await giveUp();
    t.deepEqual(await kinds(), ['callback', 'message'], 'all of it anew');
  });
}
