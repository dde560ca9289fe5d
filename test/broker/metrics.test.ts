import { readFileSync } from 'node:fs';
import { parseYaml } from '@redocly/openapi-core';
import test from 'ava';
import { Metrics } from '../../src/metrics.ts';
import type { Sweep } from '../../src/store/store.ts';
import { aSystem, STORES } from '../helpers/broker.ts';
import { aBody, theEnd } from '../helpers/client.ts';
import { anEndpoint } from '../helpers/endpoint.ts';

/** What was read, by name and labels. */
function samples(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

const IDLE = { calls: 0, callLimit: 1, listeners: 0, users: 0 };

for (const kind of STORES) {
  test(`${kind}: what became of messages, and how long each part took, is counted`, async (t) => {
    const endpoint = await anEndpoint(t);
    const { client, url } = await aSystem(t, kind, {
      env: { CALLBACK_ALLOW_HOSTS: endpoint.host, MAX_ATTEMPTS: '2', WORKER_CONCURRENCY: '7' },
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
      broker_worker_calls_limit: 7,
      broker_store_complete: 1,
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

test('a broker that stops tells to the end how the store is', async (t) => {
  const { url, client, worker, stop } = await aSystem(t, 'redis', { env: { SHUTDOWN_SECONDS: '60' } });
  const running = await client.send('u', '[[text="one two" ttft=60000]]');
  await client.streaming('u', running);
  await client.send('u', 'waits');
  const waiting = async () =>
    samples(await (await fetch(`${url}/metrics`)).text()).get('broker_store_messages_waiting');
  while ((await waiting()) !== 1);
  const stopped = stop();
  while ((await client.get('/health/ready')).status === 200);
  t.is((await client.request('DELETE', '/api/v1/queue/u')).status, 200);
  while ((await waiting()) !== 0);
  worker.hurry();
  await stopped;
});

test('metrics are for who has a key', async (t) => {
  const { url } = await aSystem(t, 'embedded', { env: { BROKER_API_KEY: 'the-key' } });
  t.is((await fetch(`${url}/metrics`)).status, 401);
  t.is((await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer the-key' } })).status, 200);
});

test('while the store does not answer nothing is said of what waits there', async (t) => {
  const metrics = new Metrics();
  metrics.serve(() => ({ store: undefined, workerUp: false, ...IDLE }));
  const now = samples((await metrics.read()).text);
  t.is(now.get('broker_store_up'), 0);
  t.false([...now.keys()].some((name) => name.startsWith('broker_store_messages')));
});

function aSweep(more: Partial<Sweep> = {}): Sweep {
  const counts = { activeQueues: 1, waiting: 1, processing: 0, oldestWaitMs: 0, callbacks: 0, deadLetters: 0 };
  return { due: [], more: false, destinations: [], counts, totals: totals(0), complete: true, ...more };
}

/** What is told of a store that says so of itself. */
function toldOf(store: () => Partial<Sweep>) {
  const metrics = new Metrics();
  metrics.serve(() => ({ store: aSweep(store()), workerUp: true, ...IDLE }));
  return async () => samples((await metrics.read()).text);
}

function totals(accepted: number) {
  return { accepted, completed: 0, failed: 0, cancelled: 0, expired: 0 };
}

test('while a part of the store does not answer that is told, and no number that would be too small', async (t) => {
  let complete = true;
  const read = toldOf(() => ({ totals: totals(9), complete }));
  const told = async () => {
    const now = await read();
    return ['complete', 'up', 'messages_waiting', 'messages_accepted_total'].map((of) => now.get(`broker_store_${of}`));
  };
  t.deepEqual(await told(), [1, 1, 1, 9]);
  complete = false;
  t.deepEqual(await told(), [0, 1, undefined, undefined]);
  t.is((await read()).get('broker_store_oldest_wait_seconds'), undefined);
  complete = true;
  t.deepEqual(await told(), [1, 1, 1, 9]);
});

test('totals do not go down with what a failover has lost, and begin anew with a new store', async (t) => {
  let accepted = 100;
  const read = toldOf(() => ({ totals: totals(accepted) }));
  const told = [];
  for (accepted of [100, 98, 99, 101, 3, 2, 4, 0]) {
    told.push((await read()).get('broker_store_messages_accepted_total'));
  }
  t.deepEqual(told, [100, 100, 100, 101, 3, 3, 4, 0]);
});

const OPERATIONS = new URL('../../docs/operations/', import.meta.url);

/** As far as they are looked at; what is missing is found missing. */
type Rule = { alert: string; expr: string; labels: { severity: string }; annotations: { summary: string } };

function alertRules(): readonly Rule[] {
  const file = parseYaml(readFileSync(new URL('alerts.yaml', OPERATIONS), 'utf8')) as { groups: { rules: Rule[] }[] };
  return file.groups.flatMap(({ rules }) => rules);
}

/** What a broker tells of each metric from its start: the values of each label. */
async function labelsTold(): Promise<ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>> {
  const metrics = new Metrics();
  metrics.watchProcess();
  metrics.serve(() => ({ store: aSweep(), workerUp: true, ...IDLE }));
  const told = new Map<string, Map<string, Set<string>>>();
  for (const series of samples((await metrics.read()).text).keys()) {
    const [name = '', labels = ''] = series.split(/[{}]/);
    const of = told.get(name) ?? new Map<string, Set<string>>();
    told.set(name, of);
    for (const [, label = '', value = ''] of labels.matchAll(/\b(\w+)="(.*?)"/g)) {
      of.set(label, (of.get(label) ?? new Set()).add(value));
    }
  }
  return told;
}

test('the alert rules and the Grafana dashboard ask for what there is from the start: metrics, labels, values', async (t) => {
  const told = await labelsTold();
  const { panels } = JSON.parse(readFileSync(new URL('grafana.json', OPERATIONS), 'utf8'));
  const shown: string[] = panels.flatMap(({ targets }: { targets: { expr: string }[] }) =>
    targets.map(({ expr }) => expr),
  );
  const rules = alertRules();
  t.true(shown.length > 20 && rules.length > 10);
  const known = (name: string, label: string) => ['job', 'instance'].includes(label) || told.get(name)?.has(label);
  for (const expr of [...shown, ...rules.map((rule) => rule.expr)]) {
    const asked = [...expr.matchAll(/\b((?:broker|nodejs|process)_\w+|up)\b(?:{(.*?)})?/g)];
    t.true(asked.length > 0, expr);
    for (const [, name = '', selector = ''] of asked) {
      if (name === 'up') continue;
      t.true(told.has(name), `${name} of ${expr}`);
      for (const [, label = '', values = ''] of selector.matchAll(/\b(\w+)=~?"(.*?)"/g)) {
        t.true(known(name, label), `${label} of ${expr}`);
        if (label === 'job') continue;
        for (const value of values.split('|')) t.true(told.get(name)?.get(label)?.has(value), `${value} of ${expr}`);
      }
    }
    const grouped = [...expr.matchAll(/by \((\w+)\)[ (\w]*?(broker_\w+)/g)];
    t.is(grouped.length, expr.split('by (').length - 1, expr);
    for (const [, label = '', name = ''] of grouped) t.true(known(name, label), `${label} of ${expr}`);
  }
});

test('each alert says how urgent it is, and operations.md what to do', (t) => {
  const rules = alertRules();
  for (const { alert, expr, labels, annotations } of rules) {
    t.true(['page', 'ticket'].includes(labels.severity), alert);
    for (const [, label = ''] of annotations.summary.matchAll(/\$labels[.](\w+)/g)) {
      t.true(label === 'instance' ? !/^(max|min|sum)\b/.test(expr) : expr.includes(`by (${label})`), alert);
    }
  }
  const table = readFileSync(new URL('../operations.md', OPERATIONS), 'utf8').matchAll(/^[|] (Broker[\w, ]+) [|]/gm);
  const described = [...table].flatMap(([, names = '']) => names.split(', '));
  t.deepEqual(described.toSorted(), rules.map(({ alert }) => alert).toSorted());
});

test('names, units and types are as Prometheus wants them', async (t) => {
  const metrics = new Metrics();
  metrics.watchProcess();
  metrics.serve(() => ({ store: undefined, workerUp: true, ...IDLE }));
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
