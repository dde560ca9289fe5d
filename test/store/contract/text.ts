import {
  aMessage,
  aQueue,
  COMPLETED,
  claimed,
  type Declare,
  HELD,
  logOf,
  type MakePlace,
  renewal,
  Watcher,
} from './kit.ts';

const ODD = {
  'a brace': '}',
  braces: '{other}{',
  spaces: '  a \t b  ',
  emoji: '👩🏽‍🚀 नमस्ते שלום',
  '256 characters': '𝒳'.repeat(128),
  colons: 'group:org:1:2',
  newlines: 'a\r\nb\nc',
  'line separators': 'a\u2028b\u2029c',
  'control characters': 'a\u0001b\u001f\b\f',
  quotes: `"'\\\`--;%_*?[a]/`,
  'a name of an object': '__proto__',
  'a number': '0012',
} as const;

const TEXTS = {
  'line separators': 'a\u2028b\u2029c\u0085d',
  'all of Unicode': String.fromCodePoint(...Array.from({ length: 0x800 }, (_, i) => 1 + i * 27), 0xffff, 0x10ffff),
  'a megabyte': '0123456789abcdé'.repeat(65_536),
  'JSON in JSON': JSON.stringify(JSON.stringify({ a: '"\\/\u2028' })),
  nothing: '',
} as const;

/** Ids and texts come back as they went in. */
export function textContract(test: Declare, aPlace: MakePlace): void {
  for (const [name, odd] of Object.entries(ODD)) {
    test(`ids may hold ${name}`, async (t) => {
      const place = await aPlace(t);
      const store = await place.broker();
      const id = `${odd}${aQueue()}`.slice(0, 256);
      const watcher = new Watcher();
      await store.watch(id, watcher.onChange);
      const message = aMessage(id, { id, deduplicationKeys: [id] });
      t.deepEqual(await store.enqueue(message), { type: 'queued', position: 1 });
      t.deepEqual(await store.enqueue(aMessage(id, { deduplicationKeys: [id] })), {
        type: 'duplicate',
        id,
        status: 'queued',
        position: 1,
      });
      t.deepEqual((await store.sweep(10)).due, [id]);
      t.is((await store.queue(id)).waiting[0]?.id, id);
      const claim = await claimed(store, id);
      t.like(claim, { queue: id, messageId: id });
      await store.append(claim, 2, [{ name: '', data: id }]);
      await watcher.first(({ messageId, last }) => messageId === id && last === 3);
      t.deepEqual(await renewal(store, [claim]), HELD);
      const outcome = { status: 'failed', code: id, error: id } as const;
      await store.settle(claim, 3, [], outcome, true);
      t.deepEqual(await store.read(id, id, 0, 10), {
        after: 0,
        status: 'failed',
        position: 0,
        events: [
          { name: 'queued', data: JSON.stringify({ message_id: id, queue_position: 1 }) },
          { name: 'processing', data: JSON.stringify({ message_id: id, attempt: 1 }) },
          { name: '', data: id },
          { name: 'error', data: JSON.stringify({ message_id: id, ...outcome }) },
        ],
        last: 4,
      });
      t.like((await store.sweep(10)).counts, { activeQueues: 0, waiting: 0, processing: 0 });
    });
  }

  for (const [name, text] of Object.entries(TEXTS)) {
    test(`payloads and events may be ${name}`, async (t) => {
      const store = await (await aPlace(t)).broker();
      const queue = aQueue();
      await store.enqueue(aMessage(queue, { payload: text }));
      const claim = await claimed(store, queue);
      t.is(claim.payload, text);
      await store.append(claim, 2, [{ name: '', data: text }]);
      const retried = await store.retry(claim, 3, text);
      t.is(retried.payload, text);
      await store.settle(retried, 4, [{ name: '', data: text }], COMPLETED, true);
      const log = await logOf(store, queue, claim.messageId);
      const reason = JSON.stringify({ message_id: claim.messageId, attempt: 2, reason: text });
      t.deepEqual(log?.map(({ data }) => data).slice(2, 5), [text, reason, text]);
    });
  }
}
