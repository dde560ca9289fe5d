import type { TestFn } from 'ava';
import type { NewMessage, Store } from '../../src/store/store.ts';

/** Makes a fresh broker's view of the store under test; brokers made with the same `place` share what is stored. */
export type OpenStore = (settings?: { leaseMs?: number; maxQueueLength?: number }) => Promise<Store>;

let serial = 0;

export function aMessage(queue: string, more: Partial<NewMessage> = {}): NewMessage {
  serial += 1;
  return { id: `message-${serial}`, queue, payload: JSON.stringify({ n: serial }), deduplicationKeys: [], ...more };
}

/** What every store must do. Run by one test file per adapter. */
export function storeContract(test: TestFn, open: (queue: string) => Promise<Store>): void {
  test('messages of a queue are claimed one at a time in the order of acceptance', async (t) => {
    const store = await open(t.title);
    const queue = t.title;
    const messages = [aMessage(queue), aMessage(queue), aMessage(queue)];
    for (const [index, message] of messages.entries()) {
      t.deepEqual(await store.enqueue(message), { type: 'queued', position: index + 1 });
    }
    let claim = await store.claim(queue);
    for (const [index, message] of messages.entries()) {
      t.like(claim, { messageId: message.id, payload: message.payload, attempt: 1, last: 2 });
      if (!claim) return;
      const settled = await store.settle(claim, claim.last, [], { status: 'completed' }, true);
      t.is(settled.waiting, index < 2);
      claim = settled.next;
    }
    t.is(claim, undefined);
    t.is(await store.claim(queue), undefined);
  });
}
