import { readFileSync } from 'node:fs';
import test from 'ava';
import { Metrics } from '../../src/metrics.ts';
import { aSystem, STORES } from '../helpers/broker.ts';
import { aBody, theEnd } from '../helpers/client.ts';
import { anEndpoint } from '../helpers/endpoint.ts';

/** What was read, by name and labels. */
function samples(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

for (const kind of STORES) {
  test(`${kind}: what became of messages, and how long each part took, is counted`, async (t) => {
    const endpoint = await anEndpoint(t);
    const { client, url } = await aSystem(t, kind, {
      env: { CALLBACK_ALLOW_HOSTS: endpoint.host, MAX_ATTEMPTS: '2' },
    });
    const read = async () => {
      const response = await fetch(`${url}/metrics`);
      t.regex(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
      return samples(await response.text());
    };
    const said = async (text: string, more = {}) => {
      const { status, body } = await client.post(aBody('u', text, more));
      t.is(status, 202);
      return theEnd(await client.all('u', String(body['message_id'])));
    };
    t.like(await said('hello', { callback_url: endpoint.url }), { event: 'done' });
    t.like(await said('[[fail=529]]'), { event: 'error' });
    t.like(await said('[[status=503 failtimes=1]]'), { event: 'done' });
    t.like(await said('[[status=503 failtimes=2]]'), { event: 'error', code: 'worker_unavailable' });
    await endpoint.until(() => endpoint.calls.length === 1);
    await client.post({});

    // What is said of the whole store is as of the last look, twice a second; a callback is counted after its answer.
    let now = await read();
    const isThere = () =>
      now.get('broker_store_messages_ended_total{status="completed"}') === 2 &&
      now.get('broker_store_messages_ended_total{status="failed"}') === 2 &&
      now.get('broker_callbacks_total{status="delivered"}') === 1;
    while (!isThere()) now = await read();
    const expected = {
      broker_store_up: 1,
      broker_worker_up: 1,
      broker_store_messages_accepted_total: 4,
      'broker_store_messages_ended_total{status="cancelled"}': 0,
      broker_store_messages_waiting: 0,
      broker_store_messages_processing: 0,
      broker_queue_wait_seconds_count: 4,
      'broker_worker_calls_total{outcome="opened"}': 3,
      'broker_worker_calls_total{outcome="refused"}': 3,
      broker_worker_first_event_seconds_count: 3,
      broker_worker_call_seconds_count: 3,
      broker_callback_delivery_seconds_count: 1,
      'broker_refusals_total{code="invalid_fields"}': 1,
      broker_listeners: 0,
      broker_worker_calls_open: 0,
    };
    for (const [name, value] of Object.entries(expected)) t.is(now.get(name), value, name);
  });
}

test("what is refused at the engine's doors is counted as at the broker's own", async (t) => {
  const { url, client, worker } = await aSystem(t, 'embedded', { env: { MAX_QUEUE_LENGTH: '1' } });
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(`${url}${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    await response.text();
    return response.status;
  };
  const chat = { user_id: 'u', message: 'hello', message_type: 'text', client_id: 'web' };
  t.is(await ask('POST', '/api/v1/chat', { ...chat, user_id: '' }), 400);
  t.is(await ask('GET', '/api/v1/chat'), 405);
  t.is(await ask('GET', '/api/v1/admin/users'), 404);
  const running = await client.send('u', '[[text="one two" ttft=60000]]');
  await client.streaming('u', running);
  await client.send('u', 'waits');
  t.is(await ask('POST', '/api/v1/chat/stream', chat), 429);
  t.is((await client.post(aBody('u', 'one too many'))).status, 429);
  t.is(await ask('POST', '/api/v1/chat', { ...chat, user_id: 'v', message: '[[fail=529]]' }), 502);
  const now = samples(await (await fetch(`${url}/metrics`)).text());
  const expected = { invalid_fields: 1, method_not_allowed: 1, not_found: 1, queue_full: 2, message_failed: 1 };
  for (const [code, count] of Object.entries(expected)) {
    t.is(now.get(`broker_refusals_total{code="${code}"}`), count, code);
  }
  worker.hurry();
});

test('metrics are for who has a key', async (t) => {
  const { url } = await aSystem(t, 'embedded', { env: { BROKER_API_KEY: 'the-key' } });
  t.is((await fetch(`${url}/metrics`)).status, 401);
  t.is((await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer the-key' } })).status, 200);
});

test('while the store does not answer nothing is said of what waits there', async (t) => {
  const metrics = new Metrics();
  metrics.serve(() => ({ store: undefined, workerUp: false, calls: 0, listeners: 0, users: 0 }));
  const now = samples((await metrics.read()).text);
  t.is(now.get('broker_store_up'), 0);
  t.false([...now.keys()].some((name) => name.startsWith('broker_store_messages')));
});

test('while a part of the store does not answer its totals are not told: they would seem to have shrunk', async (t) => {
  const metrics = new Metrics();
  const counts = { activeQueues: 1, waiting: 1, processing: 0, oldestWaitMs: 0, callbacks: 0 };
  const totals = { accepted: 9, completed: 8, failed: 0, cancelled: 0, expired: 0 };
  let complete = true;
  const store = () => ({ due: [], destinations: [], counts, totals, complete });
  metrics.serve(() => ({ store: store(), workerUp: true, calls: 0, listeners: 0, users: 0 }));
  const told = async () => samples((await metrics.read()).text).get('broker_store_messages_accepted_total');
  t.is(await told(), 9);
  complete = false;
  t.is(await told(), undefined);
  complete = true;
  t.is(await told(), 9);
});

test('the alert rules and the Grafana dashboard ask for what there is', async (t) => {
  const metrics = new Metrics();
  metrics.watchProcess();
  metrics.serve(() => ({ store: undefined, workerUp: true, calls: 0, listeners: 0, users: 0 }));
  const { text } = await metrics.read();
  const there = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  for (const file of ['alerts.yaml', 'grafana.json']) {
    const asked = readFileSync(new URL(`../../docs/operations/${file}`, import.meta.url), 'utf8');
    const names = [...asked.matchAll(/\b(?:broker|nodejs|process)_[a-z0-9_]+/g)].map(([name]) =>
      name.replace(/_bucket$/, ''),
    );
    t.true(names.length > 10);
    for (const name of names) t.true(there.has(name), `${file} asks for ${name}`);
  }
});

test('names, units and types are as Prometheus wants them', async (t) => {
  const metrics = new Metrics();
  metrics.watchProcess();
  metrics.serve(() => ({ store: undefined, workerUp: true, calls: 0, listeners: 0, users: 0 }));
  const { text } = await metrics.read();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  t.true(types.length > 20);
  // The rules of `promtool check metrics`.
  for (const [, name = '', type = ''] of types) {
    t.regex(name, /^[a-z][a-z0-9_]*$/, name);
    t.is(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
    t.notRegex(
      name,
      /_(count|sum|bucket|counter|gauge|histogram|summary|ms|millis|milliseconds|minutes|kb|mb|percent)$/,
      name,
    );
    t.regex(text, new RegExp(`^# HELP ${name} \\S`, 'm'), `${name} has no help`);
  }
  t.regex(text, /^nodejs_eventloop_lag_seconds /m);
});
