import type { Store } from '../../../src/store/store.ts';
import { aMessage, COMPLETED, logOf } from '../contract/kit.ts';

/** When `3.sql` was made. */
export const MADE_AT = 1_700_000_000_000;

/** What the file of a layout holds: its queues, and their messages. */
const HELD = {
  waiting: ['waiting-1', 'waiting-2'],
  running: ['running-1', 'running-2'],
  released: ['released-1'],
  unused: ['unused-1'],
  told: ['told-1'],
  cancelling: ['cancelling-1', 'cancelling-2'],
  done: ['done-1', 'done-2'],
  failed: ['failed-1', 'failed-2'],
};
const CALLBACK = { url: 'https://gateway.example/hook', details: '{"n":1}', from: 'end' } as const;

/** All that a broker answers about these, at first and as it goes on with them. */
export async function answersOf(store: Store) {
  const answers: unknown[] = [];
  const look = async () => {
    const { due, ...swept } = await store.sweep(100);
    answers.push({ ...swept, due: due.toSorted() }, await store.deadLetters(10), await store.delayed(10));
    for (const [queue, ids] of Object.entries(HELD)) {
      answers.push(await store.queue(queue));
      for (const id of ids) answers.push(await store.message(queue, id), await logOf(store, queue, id));
    }
  };
  await look();
  answers.push(await store.requeue('failed', 'failed-1'));
  for (const queue of ['waiting', 'done']) {
    const again = aMessage(queue, { id: `${queue}-again`, deduplicationKeys: ['key'] });
    answers.push(await store.enqueue(again));
  }
  for (const queue of Object.keys(HELD)) {
    for (let claim = await store.claim(queue); claim; claim = await store.claim(queue)) {
      answers.push(claim, await store.settle(claim, claim.last, [{ name: '', data: '{}' }], COMPLETED, false));
    }
    const delivery = await store.outbox.claim({ queue, url: CALLBACK.url });
    if (delivery) await store.outbox.settle(delivery, { status: 'delivered', attempts: 1, error: '' });
    answers.push(delivery);
  }
  await look();
  // As a file has them: without what is undefined.
  return JSON.parse(JSON.stringify(answers));
}
