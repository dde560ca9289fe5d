import { aMessage, aQueue, COMPLETED, claimed, type Declare, FAILED, filled, type MakePlace, queued } from './kit.ts';

/** What is accepted, once, in which order, and when not. */
export function queueContract(test: Declare, aPlace: MakePlace): void {
  test('messages of a queue are claimed one at a time in the order of acceptance', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const messages = [aMessage(queue), aMessage(queue), aMessage(queue)];
    for (const [index, message] of messages.entries()) {
      t.deepEqual(await store.enqueue(message), { type: 'queued', position: index + 1 });
    }
    let claim = await store.claim(queue);
    for (const [index, message] of messages.entries()) {
      t.like(claim, { queue, messageId: message.id, payload: message.payload, attempt: 1, last: 2 });
      if (!claim) return;
      const settled = await store.settle(claim, claim.last, [], COMPLETED, true);
      t.is(settled.waiting, index < 2);
      claim = settled.next;
    }
    t.is(claim, undefined);
    t.is(await store.claim(queue), undefined);
  });

  test('a queue shows what waits in order and what is worked on', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    t.like(await store.queue(queue), { processing: undefined, waiting: [] });
    const [first, second, third] = await filled(store, queue, 3);
    if (!first || !second || !third) return t.fail();
    const before = await store.queue(queue);
    t.deepEqual(
      before.waiting.map(({ id }) => id),
      [first.id, second.id, third.id],
    );
    t.is(before.processing, undefined);
    const claim = await claimed(store, queue);
    const { processing, waiting, now } = await store.queue(queue);
    t.deepEqual(processing, { id: claim.messageId, attempt: 1, queuedAt: before.waiting[0]?.queuedAt ?? 0 });
    t.deepEqual(
      waiting.map(({ id }) => id),
      [second.id, third.id],
    );
    t.true(claim.waitedMs >= 0);
    t.true(now >= (processing?.queuedAt ?? Infinity) + claim.waitedMs);
  });

  test('a queue is not held up by another', async (t) => {
    const store = await (await aPlace(t)).broker();
    const [one, other] = [aQueue(), aQueue()];
    const first = await queued(store, one);
    await queued(store, one);
    const second = await queued(store, other);
    t.is((await claimed(store, one)).messageId, first.id);
    t.is((await claimed(store, other)).messageId, second.id);
  });

  test('a message enqueued again is answered as the first time, whatever became of it', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const message = aMessage(queue, { deduplicationKeys: ['key'] });
    await filled(store, queue, 1);
    const second = { type: 'queued', position: 2 } as const;
    t.deepEqual(await store.enqueue(message), second);
    t.deepEqual(await store.enqueue(message), second);
    t.is((await store.queue(queue)).waiting.length, 2);
    const first = await claimed(store, queue);
    const { next } = await store.settle(first, first.last, [], COMPLETED, true);
    t.is(next?.messageId, message.id);
    t.deepEqual(await store.enqueue(message), second);
    if (next) await store.settle(next, next.last, [], COMPLETED, true);
    t.deepEqual(await store.enqueue(message), second);
    t.is(await store.claim(queue), undefined);
  });

  test('a duplicate is answered with the first one and how it stands', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const ahead = aMessage(queue);
    const first = aMessage(queue, { deduplicationKeys: ['key'] });
    const again = () => store.enqueue(aMessage(queue, { deduplicationKeys: ['key'] }));
    await store.enqueue(ahead);
    await store.enqueue(first);
    t.deepEqual(await again(), { type: 'duplicate', id: first.id, status: 'queued', position: 2 });
    const claim = await claimed(store, queue);
    t.deepEqual(await again(), { type: 'duplicate', id: first.id, status: 'queued', position: 1 });
    const { next } = await store.settle(claim, claim.last, [], COMPLETED, true);
    t.deepEqual(await again(), { type: 'duplicate', id: first.id, status: 'processing', position: 0 });
    if (!next) return t.fail();
    await store.settle(next, next.last, [], FAILED, true);
    t.deepEqual(await again(), { type: 'duplicate', id: first.id, status: 'failed', position: 0 });
    t.deepEqual((await store.queue(queue)).waiting, []);
  });

  test('each of several deduplication keys makes a duplicate', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const first = aMessage(queue, { deduplicationKeys: ['header', 'client'] });
    await store.enqueue(first);
    for (const deduplicationKeys of [['header'], ['client'], ['other', 'client'], ['client', 'header']]) {
      const again = await store.enqueue(aMessage(queue, { deduplicationKeys }));
      t.deepEqual(again, { type: 'duplicate', id: first.id, status: 'queued', position: 1 });
    }
    const another = aMessage(queue, { deduplicationKeys: ['other'] });
    t.deepEqual(await store.enqueue(another), { type: 'queued', position: 2 }, 'a duplicate leaves no key behind');
  });

  test('of fifty at once with one key a single one is queued', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const messages = Array.from({ length: 50 }, () => aMessage(queue, { deduplicationKeys: ['key', 'other'] }));
    const answers = await Promise.all(messages.map((message) => store.enqueue(message)));
    const first = messages[answers.findIndex(({ type }) => type === 'queued')];
    t.is(answers.filter(({ type }) => type === 'queued').length, 1);
    const duplicate = { type: 'duplicate', id: first?.id, status: 'queued', position: 1 };
    t.is(answers.filter(({ type }) => type === 'duplicate').length, 49);
    for (const answer of answers) if (answer.type === 'duplicate') t.deepEqual<unknown, unknown>(answer, duplicate);
    t.like(await store.queue(queue), { waiting: [{ id: first?.id }] });
  });

  test('a deduplication key counts in its own queue only', async (t) => {
    const store = await (await aPlace(t)).broker();
    // More queues than a store may keep together, and names that could be mistaken for one another's keys.
    const queues = [...Array.from({ length: 200 }, aQueue), 'a', 'a:b', '1:a', ':'];
    const answers = await Promise.all(
      queues.flatMap((queue) =>
        ['c', 'b:c', ':c'].map((key) => store.enqueue(aMessage(queue, { deduplicationKeys: [key] }))),
      ),
    );
    t.true(answers.every(({ type }) => type === 'queued'));
  });

  test('a full queue takes nothing, not even half of a message', async (t) => {
    const store = await (await aPlace(t)).broker({ maxQueueLength: 3 });
    const queue = aQueue();
    await filled(store, queue, 3);
    const refused = aMessage(queue, { deduplicationKeys: ['key'] });
    const before = await store.sweep(1);
    t.deepEqual(await store.enqueue(refused), { type: 'full', length: 3 });
    t.deepEqual(await store.enqueue(refused), { type: 'full', length: 3 });
    t.is((await store.queue(queue)).waiting.length, 3);
    t.is(await store.read(queue, refused.id, 0, 10), undefined);
    t.is((await store.sweep(1)).counts.waiting, before.counts.waiting);

    await claimed(store, queue);
    t.deepEqual(await store.enqueue(refused), { type: 'queued', position: 3 }, 'what is worked on does not wait');
    t.deepEqual(await store.enqueue(aMessage(queue)), { type: 'full', length: 3 });
    t.like(await store.enqueue(aMessage(queue, { deduplicationKeys: ['key'] })), { type: 'duplicate', id: refused.id });
  });

  test('a queue keeps its bound whatever comes at once', async (t) => {
    const store = await (await aPlace(t)).broker({ maxQueueLength: 10 });
    const queue = aQueue();
    const answers = await Promise.all(Array.from({ length: 40 }, () => store.enqueue(aMessage(queue))));
    const positions = answers.flatMap((answer) => (answer.type === 'queued' ? [answer.position] : []));
    t.deepEqual(
      positions.toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    t.is(answers.filter(({ type }) => type === 'full').length, 30);
  });
}
