import test from 'ava';
import { RedisStore } from '../../src/store/redis/redis.ts';
import { aBroker, aStore, aSystem, aWorker, STORES } from '../helpers/broker.ts';
import { theEnd } from '../helpers/client.ts';
import { aMessage, settingsOf } from '../store/contract/kit.ts';

for (const kind of STORES) {
  test(`${kind}: users that back off keep nobody waiting, however few slots there are`, async (t) => {
    const { client, worker } = await aSystem(t, kind, { env: { WORKER_CONCURRENCY: '1' } });
    const patient = ['a', 'b', 'c'];
    for (const user of patient) {
      const id = await client.send(user, '[[status=503 retryafter=99999999]]');
      for await (const { event } of client.stream(user, id)) if (event === 'retrying') break;
    }
    t.like(theEnd(await client.all('d', await client.send('d', 'hello'))), { event: 'done' });
    t.is(worker.calls.length, patient.length + 1, 'what is to be tried again in a long time is not tried now');
  });

  test(`${kind}: a user with many messages does not keep the only slot`, async (t) => {
    const { client, worker } = await aSystem(t, kind, { env: { WORKER_CONCURRENCY: '1' } });
    await client.send('busy', '[[text="held" ttft=60000]]');
    await worker.waitForCalls(1);
    const many = [];
    for (let n = 0; n < 5; n += 1) many.push(await client.send('busy', `message ${n}`));
    const other = await client.send('other', 'hello');
    worker.hurry();
    await client.all('other', other);
    for (const id of many) await client.all('busy', id);
    const place = worker.calls.findIndex((call) => call.user_id === 'other');
    t.true(place >= 1 && place <= 2, `other was call ${place}`);
  });
}

test('a broker with many users of its own takes up a queue that nobody told it of', async (t) => {
  const worker = await aWorker(t, { chunkMs: 5 });
  const env = await aStore(t, 'redis');
  const { client } = await aBroker(t, { ...env, WORKER_BASE_URL: worker.url, WORKER_CONCURRENCY: '2' });
  let loaded = true;
  const users = Array.from({ length: 20 }, async (_, n) => {
    while (loaded) await client.all(`user-${n}`, await client.send(`user-${n}`, 'hello'));
  });
  const store = new RedisStore(env['REDIS_URL'] ?? '', settingsOf());
  t.teardown(() => store.close());
  const orphan = aMessage('orphan', {
    payload: JSON.stringify({ user_id: 'orphan', client_id: 'web', message: 'here' }),
  });
  await store.enqueue(orphan);
  await worker.until(() => worker.calls.some((call) => call.user_id === 'orphan'));
  loaded = false;
  await Promise.all(users);
  t.like(theEnd(await client.all('orphan', orphan.id)), { event: 'done' });
});
