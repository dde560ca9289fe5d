import {
  aMessage,
  aQueue,
  COMPLETED,
  claimed,
  type Declare,
  filled,
  HELD,
  logOf,
  type MakePlace,
  renewal,
  until,
  workerEvents,
} from './kit.ts';

/** What is kept of a message's events, and for how long. */
export function logContract(test: Declare, aPlace: MakePlace): void {
  test('a log tells a message from its acceptance to its end', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [, message] = await filled(store, queue, 2);
    if (!message) return t.fail();
    const queued = { name: 'queued', data: JSON.stringify({ message_id: message.id, queue_position: 2 }) };
    t.deepEqual(await store.read(queue, message.id, 0, 10), {
      after: 0,
      status: 'queued',
      position: 2,
      events: [queued],
      last: 1,
    });
    const first = await claimed(store, queue);
    t.like(await store.read(queue, message.id, 0, 10), { position: 1, last: 1 });
    const { next } = await store.settle(first, first.last, [], COMPLETED, true);
    const processing = { name: 'processing', data: JSON.stringify({ message_id: message.id, attempt: 1 }) };
    t.deepEqual(await store.read(queue, message.id, 0, 10), {
      after: 0,
      status: 'processing',
      position: 0,
      events: [queued, processing],
      last: 2,
    });
    if (!next) return t.fail();
    const [one, two, three] = workerEvents('1', '2', '3');
    if (!one || !two || !three) return t.fail();
    await store.append(next, 2, [one]);
    await store.append(next, 3, [two]);
    const { last } = await store.settle(next, 4, [three], COMPLETED, true);
    const done = { name: 'done', data: JSON.stringify({ message_id: message.id, status: 'completed' }) };
    t.deepEqual(await store.read(queue, message.id, 0, 10), {
      after: 0,
      status: 'completed',
      position: 0,
      events: [queued, processing, one, two, three, done],
      last: 6,
    });
    t.is(last, 6);
  });

  test('a log is read page by page without a gap or a repeat', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    // Entries of several sizes, so that pages begin and end within one.
    let last = claim.last;
    for (const size of [1, 5, 40, 2, 7]) {
      await store.append(claim, last, workerEvents(...Array.from({ length: size }, (_, i) => `${last + i + 1}`)));
      last += size;
    }
    const whole = await logOf(store, queue, claim.messageId);
    t.is(whole?.length, 57);
    for (const limit of [1, 2, 3, 10, 56, 57, 58]) {
      const pages = [];
      for (let after = 0; after < last; after += limit) {
        const page = await store.read(queue, claim.messageId, after, limit);
        t.is(page?.last, 57);
        pages.push(...(page?.events ?? []));
      }
      t.deepEqual(pages, whole);
    }
    for (const after of [0, 1, 56]) {
      const page = await store.read(queue, claim.messageId, after, 0);
      t.deepEqual(page, { status: 'processing', position: 0, after, events: [], last: 57 });
    }
    t.deepEqual((await store.read(queue, claim.messageId, 57, 10))?.events, []);
    t.deepEqual((await store.read(queue, claim.messageId, 1000, 10))?.events, []);
    t.deepEqual((await store.read(queue, claim.messageId, 56, 10))?.events, whole?.slice(56));
  });

  test('events that are written at once are told apart, whatever they say and wherever a page begins', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    const texts = [
      '',
      '\n',
      '\n\n',
      'a\nb',
      'a\n\nb\n',
      '\na',
      'a\r\nb\rc\r',
      '\r\n\r\n',
      'a\u2028b\u2029c\u0085d',
      ' ',
      ':',
    ];
    const alike = [
      'data: x',
      'data:',
      'data: \ndata: x',
      '\ndata: x\n\ndata: y',
      'event: done',
      'event: done\ndata: {}\n\n',
    ];
    const events = [...texts, ...alike, ...texts].map((data, index) => ({ name: index % 4 ? '' : 'named', data }));
    await store.append(claim, 2, events);
    await store.append(claim, 2 + events.length, events);
    const written = [...events, ...events];
    for (let after = 2; after <= 2 + written.length; after += 1) {
      for (const limit of [1, 2, 500]) {
        const page = await store.read(queue, claim.messageId, after, limit);
        t.deepEqual(page?.events, written.slice(after - 2, after - 2 + limit), `${limit} after ${after}`);
      }
    }
  });

  test('a page holds few events when they are large, but at least one', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    const large = workerEvents(...Array.from({ length: 6 }, (_, i) => `${i}`.repeat(1_500_000)));
    for (const [index, event] of large.entries()) await store.append(claim, 2 + index, [event]);
    const small = workerEvents(...Array.from({ length: 300 }, (_, i) => `${i}`));
    for (const [index, event] of small.entries()) await store.append(claim, 8 + index, [event]);
    for (let after = 2; after < 8; after += 1) {
      const page = await store.read(queue, claim.messageId, after, 500);
      t.deepEqual(page?.events[0], large[after - 2]);
      t.true((page?.events.length ?? 0) <= 2, `${page?.events.length} events after ${after}`);
    }
    t.deepEqual((await logOf(store, queue, claim.messageId))?.slice(2), [...large, ...small]);
  });

  test('a message is known to its own queue only', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    const [message] = await filled(store, queue, 1);
    t.is(await store.read(queue, 'unknown', 0, 10), undefined);
    t.is(await store.read(queue, '', 0, 10), undefined);
    // More queues than a store may keep together.
    for (const other of Array.from({ length: 300 }, aQueue)) {
      t.is(await store.read(other, message?.id ?? '', 0, 10), undefined);
    }
  });

  test('what is appended again, or elsewhere than at the end, changes nothing', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    await store.append(claim, 2, workerEvents('a', 'b'));
    await store.append(claim, 2, workerEvents('a', 'b'));
    await store.append(claim, 4, []);
    const before = await store.read(queue, claim.messageId, 0, 100);
    t.is(before?.last, 4);
    await t.throwsAsync(store.append(claim, 1, workerEvents('x')), { message: /is at 4, not at 1/ });
    await t.throwsAsync(store.append(claim, 5, workerEvents('x')), { message: /is at 4, not at 5/ });
    await t.throwsAsync(store.retry(claim, 7, 'x'), { message: /is at 4, not at 7/ });
    await t.throwsAsync(store.settle(claim, 9, [], COMPLETED, true), { message: /is at 4, not at 9/ });
    t.deepEqual(await store.read(queue, claim.messageId, 0, 100), before);
    t.is((await store.queue(queue)).processing?.attempt, 1);
    t.deepEqual(await renewal(store, [claim]), HELD);
  });

  test('ten thousand events can be written at once', async (t) => {
    const store = await (await aPlace(t)).broker();
    const queue = aQueue();
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    const events = workerEvents(...Array.from({ length: 10_000 }, (_, i) => `${i}`));
    await store.append(claim, 2, events);
    await store.append(claim, 2, events);
    const log = await logOf(store, queue, claim.messageId);
    t.is(log?.length, 10_002);
    t.true(log?.slice(2).every(({ data }, index) => data === events[index]?.data));
    t.deepEqual((await store.read(queue, claim.messageId, 9_000, 3))?.events, events.slice(8_998, 9_001));
  });

  test('an ended message and its log are gone after their retention, and its keys stay', async (t) => {
    const store = await (await aPlace(t)).broker({ retentionMs: 50 });
    const queue = aQueue();
    const message = aMessage(queue, { deduplicationKeys: ['key'] });
    await store.enqueue(message);
    await filled(store, queue, 1);
    const claim = await claimed(store, queue);
    const { next } = await store.settle(claim, claim.last, workerEvents('a'), COMPLETED, true);
    await until(async () => {
      const { counts } = await store.sweep(1);
      t.like(counts, { activeQueues: 1, waiting: 0, processing: 1 });
      return !(await store.read(queue, message.id, 0, 10));
    });
    t.deepEqual(await store.enqueue(aMessage(queue, { deduplicationKeys: ['key'] })), {
      type: 'duplicate',
      id: message.id,
      status: 'completed',
      position: 0,
    });
    t.is((await store.read(queue, next?.messageId ?? '', 0, 10))?.last, 2, 'what has not ended is kept');
  });

  test('a deduplication key is forgotten in its time, and then is another message’s', async (t) => {
    const store = await (await aPlace(t)).broker({ deduplicationMs: 50 });
    const queue = aQueue();
    const first = aMessage(queue, { deduplicationKeys: ['key', 'other'] });
    await store.enqueue(first);
    const claim = await claimed(store, queue);
    const second = await until(async () => {
      const again = aMessage(queue, { deduplicationKeys: ['key'] });
      return (await store.enqueue(again)).type === 'queued' && again;
    });
    // The end of the first does not touch the key of the second.
    await store.settle(claim, claim.last, [], COMPLETED, false);
    t.is((await store.read(queue, first.id, 0, 10))?.status, 'completed');
    t.is((await store.read(queue, second.id, 0, 10))?.status, 'queued');
  });
}
