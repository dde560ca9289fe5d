import test from 'ava';
import { aBroker, aStore, aSystem, aWorker, STORES } from '../helpers/broker.ts';
import { aBody, type Client, theEnd } from '../helpers/client.ts';
import { startRedis } from '../helpers/redis.ts';

test('Redis away at start and again later: a clear no meanwhile, nothing accepted is lost, no restart needed', async (t) => {
  const worker = await aWorker(t);
  const redis = await startRedis({ appendonly: true });
  t.teardown(() => redis.stop());
  await redis.kill();
  const { client } = await aBroker(
    t,
    {
      REDIS_URL: redis.url,
      WORKER_BASE_URL: worker.url,
      // Longer than the outage: the call in hand is kept.
      LEASE_SECONDS: '60',
    },
    false,
  );
  await isRefused();

  await redis.restart();
  await until(client, 'healthy');
  t.is((await client.get('/health/ready')).status, 200);
  const running = await client.send('u', '[[text="one two three" ttft=60000]]');
  await client.streaming('u', running);
  const waiting = [await client.send('u', 'second'), await client.send('u', 'third')];

  await redis.kill();
  await isRefused();
  // Ends at the worker while nothing can be written.
  worker.hurry();
  await worker.until(() => worker.calls[0]?.finishedAt);
  await redis.restart();
  for (const id of [running, ...waiting]) t.like(await eventualEnd(client, id), { event: 'done', status: 'completed' });
  t.deepEqual(
    worker.calls.map((call) => call.idempotencyKey),
    [running, ...waiting],
  );
  t.deepEqual(worker.overlaps(), []);
  t.like((await client.get('/health')).body, { status: 'healthy', active_queues: 0 });

  async function isRefused(): Promise<void> {
    const refused = await client.post(aBody('u', 'too early'));
    t.like(refused, { status: 503, body: { code: 'store_unavailable' } });
    t.truthy(refused.headers.get('retry-after'));
    t.like(await client.get('/health'), { status: 503, body: { status: 'unhealthy', redis_connected: false } });
    t.is((await client.get('/health/ready')).status, 503);
    t.is((await client.get('/health/live')).status, 200);
  }
});

for (const kind of STORES) {
  test(`${kind}: the worker away at start and back later: degraded, then healthy, without a restart`, async (t) => {
    const worker = await aWorker(t);
    await worker.stop();
    const { client } = await aBroker(t, { ...(await aStore(t, kind)), WORKER_BASE_URL: worker.url });
    t.like(await client.get('/health'), { status: 200, body: { status: 'degraded', worker_connected: false } });
    const id = await client.send('u', 'hello');
    await worker.start();
    t.like(theEnd(await client.all('u', id)), { event: 'done', status: 'completed' });
    await until(client, 'healthy');
  });
}

test('a gateway that says it is well and refuses every call: calls stop, and when it is over all completes', async (t) => {
  let refusing = true;
  const { client, worker } = await aSystem(t, 'embedded', {
    worker: { respond: () => (refusing ? { status: 503 } : {}) },
    env: { WORKER_CONCURRENCY: '4', MAX_ATTEMPTS: '20' },
  });
  const users = Array.from({ length: 30 }, (_, n) => `user-${n}`);
  const ids = await Promise.all(users.map((user) => client.send(user, 'hello')));
  while ((await client.get('/health')).body['worker_circuit'] !== 'open');
  t.like((await client.get('/health')).body, { status: 'degraded', worker_connected: true });
  refusing = false;
  for (const [index, user] of users.entries()) {
    t.like(theEnd(await client.all(user, ids[index] ?? '')), { event: 'done' });
  }
  await until(client, 'healthy');
  t.deepEqual(worker.overlaps(), []);
});

/** Asks for the health until it is as said. */
async function until(client: Client, status: string): Promise<void> {
  while ((await client.get('/health')).body['status'] !== status);
}

/** Reads a message to its end, coming back as a client does when the broker could not read on. */
async function eventualEnd(client: Client, messageId: string) {
  for (;;) {
    const events = await client.all('u', messageId).catch(() => []);
    const end = theEnd(events);
    if (end.event === 'done' || end.event === 'error') return end;
  }
}
