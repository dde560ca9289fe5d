import test from 'ava';
import { aSystem, STORES } from '../helpers/broker.ts';
import { theEnd } from '../helpers/client.ts';

const USERS = 200;
const MESSAGES = 10;
const CONCURRENCY = 20;

for (const kind of STORES) {
  test(`${kind}: ${USERS} users send ${MESSAGES} messages each: each user's in order and one at a time, many users at once`, async (t) => {
    const { client, worker } = await aSystem(t, kind, {
      env: { WORKER_CONCURRENCY: String(CONCURRENCY) },
      worker: { jitterMs: 4, chunkMs: 1, seed: 7 },
    });
    const users = Array.from({ length: USERS }, (_, index) => `user-${index}`);
    const sent = await Promise.all(
      users.map(async (user) => {
        const ids: string[] = [];
        for (let n = 0; n < MESSAGES; n += 1) ids.push(await client.send(user, `message ${n}`));
        return { user, ids };
      }),
    );
    for (const { user, ids } of sent) {
      const streams = await Promise.all(ids.map((id) => client.all(user, id)));
      for (const [n, events] of streams.entries()) {
        t.like(theEnd(events), { event: 'done', status: 'completed', message_id: ids[n] });
        t.true(events.at(-2)?.data.includes(`message ${n}`), `the reply to message ${n} of ${user}`);
      }
    }
    t.is(worker.calls.length, USERS * MESSAGES);
    t.deepEqual(worker.overlaps(), []);
    t.true(worker.maxOpen > 1 && worker.maxOpen <= CONCURRENCY, `${worker.maxOpen} calls at once`);
    for (const { user, ids } of sent) {
      const called = worker.calls.filter((call) => call.user_id === user).map((call) => call.idempotencyKey);
      t.deepEqual(called, ids);
    }
  });

  test(`${kind}: as many users are served in parallel as WORKER_CONCURRENCY says, and no more`, async (t) => {
    const { client, worker } = await aSystem(t, kind, { env: { WORKER_CONCURRENCY: '5' } });
    const users = Array.from({ length: 8 }, (_, index) => `user-${index}`);
    const ids = await Promise.all(users.map((user) => client.send(user, '[[text="hold" ttft=60000]]')));
    await worker.waitForCalls(5);
    // What is told comes of one look at the store, which may have begun before the last was accepted.
    let health = await client.get('/health');
    const settled = () => health.body['messages_processing'] === 5 && health.body['active_queues'] === 8;
    while (!settled()) health = await client.get('/health');
    t.is(health.body['messages_waiting'], 3);
    t.is(worker.maxOpen, 5);
    t.is(new Set(ids).size, 8);
  });
}
