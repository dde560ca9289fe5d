import { get } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { reasonOf } from '../../src/content.ts';
import { BROKER_KEYS } from '../../src/store/redis/keys.ts';
import { aBroker, aStore, aSystem, aWorker, STORES } from '../helpers/broker.ts';
import { Client, theEnd } from '../helpers/client.ts';
import { startCluster } from '../helpers/cluster.ts';
import { startRedis } from '../helpers/redis.ts';
import { aScriptedWorker } from '../helpers/scripted-worker.ts';

const HOLD = '[[text="one two three" ttft=60000]]';
const EVENTS = '/api/v1/dashboard/events';

/** Of a Cluster of three masters. */
const SLOTS_OF_ONE = Math.ceil(16_384 / 3);

type Fields = Record<string, unknown>;

/** What is answered to a path as it is: `fetch` would tidy it up. */
function statusOf(url: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { path, headers: { 'x-api-key': 'right' } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

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
    const first = await running(client, 'u');
    await client.send('u', 'second');
    await client.send('u', 'third');
    const retried = await client.send('v', '[[status=503 failtimes=1 text="one two three" ttft=60000]]');
    await client.streaming('v', retried);
    await client.send('w', '[[status=400]] in vain');
    const listener = client.stream('u', first);
    await listener.next();
    // It follows a message, and reads no events.
    const chat = client.request('POST', '/api/v1/chat', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ user_id: 'x', org: 'o', client_id: 'web', message: HOLD, message_type: 'text' }),
    });
    // Counts, letters and states are each up to a second old.
    const told = await frame(client, ({ dead_letters, states, counts, brokers, status, at_work }) => {
      const settled = JSON.stringify([states, counts, brokers, dead_letters, at_work]);
      return (
        status === 'healthy' &&
        [
          '"streaming":3',
          '"processing":3',
          '"waiting":2',
          '"active_queues":3',
          '"users":3',
          '"dead_letters":1',
          '"listeners":1',
          '"kind":"message"',
          '"user_id":"x"',
        ].every((one) => settled.includes(one))
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
        dead_letters: 1,
      },
      states: { supervisor: { running: 1, draining: 0 } },
      at_work: [
        { user_id: 'u', message_id: first, attempt: 1 },
        { user_id: 'v', message_id: retried, attempt: 2 },
        { user_id: 'x', attempt: 1 },
      ],
      delayed: { stale: false, items: [{ user_id: 'u', length: 2 }] },
      dead_letters: {
        stale: false,
        next_cursor: null,
        items: [{ kind: 'message', user_id: 'w', attempts: 1, code: 'worker_rejected' }],
      },
      brokers: [{ own: true, draining: false, users: 3, calls: 3 }],
    });
    t.is(health['messages_waiting'], 2);
    const held = (told['at_work'] as Fields[]).map(({ seconds }) => Number(seconds));
    t.deepEqual(
      held,
      held.toSorted((a, b) => b - a),
    );
    for (const value of Object.values(told['sample'] as Record<string, number | null>)) {
      t.true(value === null || Number.isInteger(value) || Number(value.toPrecision(3)) === value, `${value}`);
    }
    await listener.return();
    worker.hurry();
    t.is((await chat).status, 200);
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
    Array.isArray(brokers) && brokers.length === 2 && JSON.stringify(states).includes('"streaming":4');
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
  const one = client.events(EVENTS, {});
  const other = client.events(EVENTS, {});
  const next = async (events: typeof one) => (await events.next()).value ?? t.fail('The dashboard was closed.');
  for (const events of [one, other]) t.is((await next(events)).event, 'hour');
  const told = await next(other);
  let same = await next(one);
  // It has been open for longer.
  while (JSON.parse(same.data).at < JSON.parse(told.data).at) same = await next(one);
  t.deepEqual(same, told);
  await Promise.all([one.return(), other.return()]);
});

test('while the store does not answer, frames go on and say so', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const worker = await aWorker(t);
  const { client } = await aBroker(t, { REDIS_URL: redis.url, WORKER_BASE_URL: worker.url });
  const dead = await client.send('u', '[[status=400]] in vain');
  await client.all('u', dead);
  const known = { items: [{ message_id: dead }] };
  t.like(await frame(client, ({ dead_letters }) => JSON.stringify([dead_letters]).includes(dead)), {
    status: 'healthy',
    dead_letters: { ...known, stale: false },
  });
  const open = client.events(EVENTS, {});
  await open.next();
  await redis.kill();
  for await (const { data } of open) {
    const told = JSON.parse(data);
    if (told.status !== 'unhealthy' || !told.dead_letters?.stale) continue;
    t.like(told, { store: { state: 'away' }, brokers: [{ own: true }], dead_letters: { ...known, stale: true } });
    t.is(told.counts, undefined);
    break;
  }
  // What was known when the last dashboard was closed is not told to the next.
  const uptime = async () => Number((await client.get('/health')).body['uptime_seconds']);
  const closed = await uptime();
  while ((await uptime()) < closed + 3);
  t.like(await frame(client), { status: 'unhealthy', delayed: undefined, dead_letters: undefined });
  await redis.restart();
  t.like(await frame(client, ({ status }) => status === 'healthy'), { counts: { waiting: 0 } });
});

test('a silent part of the store costs the lists that it has a part of, and nothing else', async (t) => {
  const cluster = await startCluster({ nodeTimeoutMs: 60_000 });
  t.teardown(() => cluster.stop());
  const worker = await aWorker(t);
  const env = { REDIS_URL: cluster.url, WORKER_BASE_URL: worker.url };
  const [one, other] = [await aBroker(t, env), await aBroker(t, env)];
  const dead = await one.client.send('u', '[[status=400]] in vain');
  await one.client.all('u', dead);
  const both = ({ brokers, dead_letters }: Fields) =>
    Array.isArray(brokers) && brokers.length === 2 && JSON.stringify([dead_letters]).includes(dead);
  await Promise.all([frame(one.client, both), frame(other.client, both)]);
  const opened = [one.client, other.client].map((client) => client.events(EVENTS, {}));
  for (const events of opened) await events.next();
  const slot = Number((await cluster.masters[0]?.say(`CLUSTER KEYSLOT ${BROKER_KEYS[0]}`))?.slice(1));
  const silent = cluster.masters.find((_, index) => index !== Math.floor(slot / SLOTS_OF_ONE));
  silent?.freeze();
  t.teardown(() => silent?.resume());
  await Promise.all(
    opened.map(async (events) => {
      // For longer than it takes to forget a broker, once the silence is noticed.
      for (let frames = 0; frames < 8; ) {
        const told = JSON.parse((await events.next()).value?.data ?? '{}');
        if (frames || told.dead_letters?.stale) frames += 1;
        if (!frames) continue;
        t.like(told, { dead_letters: { stale: true, items: [{ message_id: dead }] } });
        t.like(told.brokers, [{ missed_since: null }, { missed_since: null }], `frame ${frames}`);
      }
      await events.return();
    }),
  );
});

const WORDS = 'Secret words of somebody';

/** A broker whose worker fails in its own words: by its answer, and by an event as large as a worker may send. */
async function aRudeSystem(t: ExecutionContext, env: Record<string, string>) {
  const worker = await aScriptedWorker(t);
  const { client } = await aBroker(t, { ...(await aStore(t, 'embedded')), WORKER_BASE_URL: worker.url, ...env });
  const query = async (user: string) => {
    const id = await client.send(user, WORDS);
    return `/api/v1/dashboard/stream?${new URLSearchParams({ user_id: user, message_id: id })}`;
  };
  const refused = await query('refused');
  (await worker.call(1)).refuse(400, WORDS);
  const failed = await query('failed');
  const call = await worker.call(2);
  call.say({ type: 'progress', text: WORDS });
  call.say({ type: 'complete ly', text: WORDS }, { type: 'error', error: `${WORDS} ${'x'.repeat(1_000_000)}` });
  call.end();
  const streams = [];
  for (const path of [refused, failed]) streams.push(await Array.fromAsync(client.events(path, {})));
  const { dead_letters } = await frame(client, (told) => JSON.stringify([told['dead_letters']]).includes('failed_at'));
  const page = await client.get('/api/v1/dashboard/dead-letters?limit=1');
  const next = await client.get(`/api/v1/dashboard/dead-letters?cursor=${page.body['next_cursor']}`);
  return { streams, letters: (dead_letters as { items: unknown[] }).items, pages: [page.body, next.body] };
}

test('what people and the worker wrote is not told, unless it may be, and not at length', async (t) => {
  const hidden = await aRudeSystem(t, {});
  t.false(/Secret|words of|somebody/.test(JSON.stringify(hidden)), JSON.stringify(hidden).slice(0, 2000));
  const [refused = [], failed = []] = hidden.streams;
  const reasons = ['The worker gave up.', 'The worker answered 400.'];
  t.like(theEnd(refused), { event: 'error', status: 'failed', code: 'worker_rejected', error: reasons[1] });
  t.like(theEnd(failed), { event: 'error', status: 'failed', code: 'worker_error', error: reasons[0] });
  t.deepEqual(
    failed.map(({ event, data }) => event ?? JSON.parse(data).type),
    ['queued', 'processing', 'progress', 'unknown', 'error', 'error'],
  );
  for (const { event, data } of failed) {
    if (event === undefined) t.deepEqual(Object.keys(JSON.parse(data)), ['type', 'bytes']);
  }
  t.like(hidden.letters, [
    { user_id: 'failed', error: reasons[0] },
    { user_id: 'refused', error: reasons[1] },
  ]);
  t.like(hidden.pages, [{ dead_letters: [{ error: reasons[0] }] }, { dead_letters: [{ error: reasons[1] }] }]);

  const shown = await aRudeSystem(t, { DASHBOARD_SHOW_CONTENT: 'true' });
  for (const part of [...shown.streams, shown.letters, ...shown.pages]) {
    t.regex(JSON.stringify(part), new RegExp(WORDS));
    t.true(JSON.stringify(part).length < 3000);
  }
});

test('a reason that is JSON is told as the sentence in it', (t) => {
  const told = (reason: string) => reasonOf('worker_error', reason, true);
  t.is(
    told('529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}'),
    '529 Overloaded',
  );
  t.is(told('The worker answered 500: {"error":"Internal error"}'), 'The worker answered 500: Internal error');
  for (const other of ['plain', 'no {json}', '{"code":7}', '[1] {"error":null}']) t.is(told(other), other);
});

test('the page is served without a key, checked by its tag, and what it shows only with one', async (t) => {
  const worker = await aWorker(t);
  const env = { ...(await aStore(t, 'embedded')), WORKER_BASE_URL: worker.url, BROKER_API_KEY: 'right' };
  const { url } = await aBroker(t, env);
  const page = await fetch(`${url}/`);
  t.is(page.url, `${url}/dashboard`);
  t.is(page.status, 200);
  t.regex(page.headers.get('content-security-policy') ?? '', /^default-src 'self';/);
  await page.text();
  const etag = page.headers.get('etag') ?? '';
  t.is(
    (await fetch(`${url}/dashboard`, { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).status,
    304,
  );
  t.is((await fetch(`${url}/dashboard/charts.json`)).status, 200);
  for (const path of ['/dashboard', '/docs']) {
    const astray = await fetch(`${url}${path}/`, { redirect: 'manual' });
    t.is(astray.status, 301);
    t.is(new URL(astray.headers.get('location') ?? '', `${url}${path}/`).href, `${url}${path}`);
  }
  for (const path of ['/dashboard/../../package.json', '/dashboard/%2e%2e%2fchart.ts', '/docs/../docs.ts']) {
    t.is(await statusOf(url, path), 404, path);
  }
  const none = new Client(url);
  const wrong = new Client(url, { 'x-api-key': 'wrong' });
  for (const path of [EVENTS, '/api/v1/dashboard/stream?user_id=u&message_id=m', '/api/v1/dead-letters']) {
    t.is((await none.get(path)).status, 401);
    t.is((await wrong.get(path)).status, 403);
  }
  t.like(await frame(new Client(url, { 'x-api-key': 'right' })), { store: { kind: 'embedded' } });
});
