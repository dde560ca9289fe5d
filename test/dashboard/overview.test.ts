import test from 'ava';
import { aBroker, aStore, aSystem, aWorker, STORES } from '../helpers/broker.ts';
import { aBody, Client } from '../helpers/client.ts';
import { startRedis } from '../helpers/redis.ts';

const HOLD = '[[text="one two three" ttft=60000]]';
const EVENTS = '/api/v1/dashboard/events';

type Fields = Record<string, unknown>;

/** The first frame that is as asked. */
async function frame(client: Client, wanted: (frame: Fields) => boolean = () => true): Promise<Fields> {
  for await (const { event, data } of client.events(EVENTS, {})) {
    const told = JSON.parse(data);
    if (event === 'frame' && wanted(told)) return told;
  }
  throw new Error('The dashboard was closed.');
}

async function running(client: Client, userId: string): Promise<string> {
  const id = await client.send(userId, HOLD);
  await client.streaming(userId, id);
  return id;
}

for (const kind of STORES) {
  test(`${kind}: a frame tells what the health and the queues tell`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    await running(client, 'u');
    await client.send('u', 'second');
    await client.send('u', 'third');
    await running(client, 'v');
    await client.send('w', '[[status=400]] in vain');
    // Counts, letters and states are each up to a second old.
    const told = await frame(client, ({ dead_letters, states, counts, brokers, status }) => {
      const letters = Array.isArray(dead_letters) ? dead_letters.length : 0;
      const settled = JSON.stringify([states, counts, brokers]);
      return (
        letters === 1 &&
        status === 'healthy' &&
        ['"streaming.relaying":2', '"processing":2', '"waiting":2', '"active_queues":2', '"users":2'].every((one) =>
          settled.includes(one),
        )
      );
    });
    const { body: health } = await client.get('/health');
    t.like(told, {
      status: health['status'],
      store: { kind, state: 'whole' },
      worker: { connected: true, circuit: 'closed' },
      counts: {
        active_queues: health['active_queues'],
        waiting: health['messages_waiting'],
        processing: health['messages_processing'],
        callbacks: 0,
      },
      delayed: [{ user_id: 'u', length: 2 }],
      dead_letters: [{ kind: 'message', user_id: 'w', attempts: 1, code: 'worker_rejected' }],
      brokers: [{ own: true, draining: false, users: 2, calls: 2, listeners: 0 }],
    });
    t.is(health['messages_waiting'], 2);
    worker.hurry();
    await frame(client, ({ counts, sample }) => {
      const { worker_p95_seconds: p95 } = sample as Fields;
      return JSON.stringify(counts).includes('"active_queues":0') && typeof p95 === 'number';
    });
  });

  test(`${kind}: a dead letter is discarded over HTTP, once and for all`, async (t) => {
    const { client } = await aSystem(t, kind);
    const id = await client.send('a/ä', '[[status=400]] in vain');
    await client.all('a/ä', id);
    const path = `/api/v1/dead-letters/${id}`;
    t.like(await client.request('DELETE', path), { status: 422, body: { code: 'invalid_fields' } });
    t.like(await client.request('DELETE', `${path}?user_id=other`), { status: 404, body: { code: 'unknown_message' } });
    const ofCallback = `${path}?${new URLSearchParams({ user_id: 'a/ä', only: 'callback' })}`;
    t.like(await client.request('DELETE', ofCallback), { status: 409, body: { code: 'not_dead' } });
    t.like(await client.request('DELETE', ofCallback.replace('=callback', '=all')), { status: 422 });
    const query = new URLSearchParams({ user_id: 'a/ä' });
    const discarded = { status: 200, body: { message_id: id, discarded: true } };
    t.like(await client.request('DELETE', `${path}?${query}`), discarded);
    t.like(await client.request('DELETE', `${path}?${query}`), discarded);
    t.deepEqual((await client.get('/api/v1/dead-letters')).body['dead_letters'], []);
    t.like((await client.get(`/api/v1/queue/a%2F%C3%A4/messages/${id}`)).body, { status: 'failed' });
    const done = await client.send('u', 'hello');
    await client.all('u', done);
    t.like(await client.request('DELETE', `/api/v1/dead-letters/${done}?user_id=u`), {
      status: 409,
      body: { code: 'not_dead' },
    });
  });
}

test('every broker that shares the store tells of all of them, and one that is stopped is soon forgotten', async (t) => {
  const worker = await aWorker(t);
  const env = { ...(await aStore(t, 'redis')), WORKER_BASE_URL: worker.url };
  const [one, other] = [await aBroker(t, env), await aBroker(t, env)];
  const users = ['a', 'b', 'c', 'd'];
  for (const [index, user] of users.entries()) await running(index % 2 ? one.client : other.client, user);
  const both = ({ brokers, states }: Fields) =>
    Array.isArray(brokers) && brokers.length === 2 && JSON.stringify(states).includes('"streaming.relaying":4');
  const views = await Promise.all([frame(one.client, both), frame(other.client, both)]);
  for (const { brokers } of views) {
    const list = brokers as Fields[];
    t.is(list.filter(({ own }) => own).length, 1);
    t.is(
      list.reduce((sum, { calls }) => sum + Number(calls), 0),
      4,
    );
  }
  worker.hurry();
  await other.stop();
  const left = await frame(one.client, ({ brokers }) => Array.isArray(brokers) && brokers.length === 1);
  t.like(left, { brokers: [{ own: true }] });
});

test('all open dashboards are told the same, and the last hour first', async (t) => {
  const { client } = await aSystem(t, 'embedded');
  const read = async () => {
    const told: (string | undefined)[] = [];
    for await (const { event, data } of client.events(EVENTS, {})) {
      told.push(event === 'hour' ? event : data);
      if (told.length === 4) break;
    }
    return told;
  };
  const [one, other] = await Promise.all([read(), read()]);
  t.is(one?.[0], 'hour');
  t.deepEqual(one, other);
});

test('while the store does not answer, frames go on and say so', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const worker = await aWorker(t);
  const { client } = await aBroker(t, { REDIS_URL: redis.url, WORKER_BASE_URL: worker.url });
  await frame(client, ({ status }) => status === 'healthy');
  await redis.kill();
  const told = await frame(client, ({ status }) => status === 'unhealthy');
  t.like(told, { store: { state: 'away' }, counts: undefined, brokers: [{ own: true }] });
  await redis.restart();
  t.like(await frame(client, ({ status }) => status === 'healthy'), { counts: { waiting: 0 } });
});

test('what people and the worker wrote is not told, unless it may be', async (t) => {
  const words = 'Secret words of somebody';
  const text = `[[text="${words}"]] ${words}`;
  const ask = async (env: Record<string, string>) => {
    const { client } = await aSystem(t, 'embedded', { env });
    const { body } = await client.post(aBody('u', text));
    await client.all('u', String(body['message_id']));
    const query = new URLSearchParams({ user_id: 'u', message_id: String(body['message_id']) });
    return Array.fromAsync(client.events(`/api/v1/dashboard/stream?${query}`, {}));
  };
  const redacted = await ask({});
  t.false(/Secret|words|somebody/.test(JSON.stringify(redacted)));
  t.deepEqual(
    redacted.map(({ event, data }) => event ?? JSON.parse(data).type).filter((name) => name !== 'progress'),
    ['queued', 'processing', 'status', 'complete', 'done'],
  );
  for (const { event, data, id } of redacted) {
    t.truthy(id);
    if (event === undefined) t.deepEqual(Object.keys(JSON.parse(data)), ['type', 'bytes']);
  }
  t.regex(JSON.stringify(await ask({ DASHBOARD_SHOW_CONTENT: 'true' })), /Secret words of somebody/);
});

test('the page is served without a key, checked by its tag, and what it shows only with one', async (t) => {
  const worker = await aWorker(t);
  const env = { ...(await aStore(t, 'embedded')), WORKER_BASE_URL: worker.url, BROKER_API_KEY: 'right' };
  const { url } = await aBroker(t, env);
  const page = await fetch(`${url}/dashboard`);
  t.is(page.status, 200);
  t.regex(page.headers.get('content-security-policy') ?? '', /^default-src 'self';/);
  await page.text();
  const etag = page.headers.get('etag') ?? '';
  t.is(
    (await fetch(`${url}/dashboard`, { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).status,
    304,
  );
  t.is((await fetch(`${url}/dashboard/charts.json`)).status, 200);
  t.is((await fetch(`${url}/dashboard/../../package.json`)).status, 401);
  const none = new Client(url);
  const wrong = new Client(url, { 'x-api-key': 'wrong' });
  for (const path of [EVENTS, '/api/v1/dashboard/stream?user_id=u&message_id=m', '/api/v1/dead-letters']) {
    t.is((await none.get(path)).status, 401);
    t.is((await wrong.get(path)).status, 403);
  }
  t.like(await frame(new Client(url, { 'x-api-key': 'right' })), { store: { kind: 'embedded' } });
});
