import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { startBroker } from '../../src/broker.ts';
import { readConfig } from '../../src/config.ts';
import { aBroker, aDirectory, aStore, aWorker } from '../helpers/broker.ts';
import { aBody, Client, theEnd } from '../helpers/client.ts';
import { anEndpoint } from '../helpers/endpoint.ts';
import { EndedEarly, startBrokerProcess } from '../helpers/process.ts';
import { aScriptedWorker, COMPLETE } from '../helpers/scripted-worker.ts';
import { aViewer, type Shown, Viewer } from '../helpers/viewer.ts';

const KEY = 'hush-broker-key';
const ON = { INSPECT: 'true', INSPECT_PORT: '0' };

/** A broker that is inspected, with a worker whose answers are the test's. Its secrets say "hush". */
async function anInspectedBroker(t: ExecutionContext) {
  const worker = await aScriptedWorker(t);
  const endpoint = await anEndpoint(t);
  const store = await aStore(t, 'embedded');
  const { url, inspectorUrl } = await aBroker(t, {
    ...store,
    ...ON,
    WORKER_BASE_URL: worker.url,
    WORKER_API_KEY: 'hush-worker-key',
    BROKER_API_KEY: KEY,
    CALLBACK_SECRET: `whsec_${Buffer.from('hush, a secret of thirty-two bytes').toString('base64')}`,
    CALLBACK_ALLOW_HOSTS: endpoint.host,
  });
  return { url, inspectorUrl, worker, endpoint, client: new Client(url, { 'x-api-key': KEY }) };
}

/** The states an actor was in, in order; staying in one is not told. */
function statesOf(snapshots: readonly Pick<Shown, 'value'>[]): unknown[] {
  return snapshots.map(({ value }) => value).filter((state, n, all) => !n || !equal(state, all[n - 1]));
}

function equal(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

test("a message's whole life is seen: supervisor, user, worker's health and delivery", async (t) => {
  const { inspectorUrl, worker, endpoint, client } = await anInspectedBroker(t);
  const viewer = await aViewer(t, inspectorUrl);
  const supervisor = await viewer.actor('supervisor');
  const health = await viewer.actor('worker-health');

  const id = await client.send('ruth', 'hello', { callback_url: endpoint.url });
  const ruth = await viewer.actor('user ruth');
  const call = await worker.call(1);
  call.say(COMPLETE);
  call.end();
  const delivery = await viewer.actor(`delivery ruth http://${endpoint.host}`);

  t.like(await viewer.end(ruth), { status: 'done', value: 'retired' });
  t.is(ruth.parentId, supervisor.sessionId);
  t.deepEqual(Object.keys(JSON.parse(String(ruth.definition)).states), [
    'idle',
    'claiming',
    'dispatching',
    'backingOff',
    'streaming',
    'releasing',
    'retired',
  ]);
  const life = viewer.snapshots(ruth.sessionId);
  const states = statesOf(life);
  t.deepEqual(states.slice(0, 4), ['idle', 'claiming', 'dispatching', 'streaming']);
  // A hint that came meanwhile is worth one more look.
  t.deepEqual(states.slice(-2), ['idle', 'retired']);
  const claim = { messageId: id, token: 1, attempt: 1 };
  const { hinted, ...context } = life.find(({ value }) => value === 'streaming')?.context ?? {};
  t.is(typeof hinted, 'boolean');
  t.deepEqual(context, {
    queue: 'ruth',
    claim,
    draining: false,
  });
  const told = viewer.events(ruth.sessionId);
  t.like(told[0], { type: 'xstate.init' });
  t.like(told[1], { type: 'work' });
  t.like(
    told.find(({ type }) => type === 'claim.done'),
    { output: claim },
  );

  const supervised = viewer.events(supervisor.sessionId);
  t.like(supervised[0], { type: 'queue.work', queue: 'ruth' });
  t.true(supervised.some(({ type, queue }) => type === 'user.idle' && queue === 'ruth'));
  t.true(supervised.some(({ type }) => type === 'xstate.done.actor.user'));

  t.true(viewer.events(health.sessionId).some(({ type }) => type === 'call.reached'));
  const well = await viewer.until(() =>
    viewer.snapshots(health.sessionId).find(({ context }) => context?.['connected']),
  );
  t.like(well, { status: 'active', context: { concurrency: 100, failing: 0 } });

  t.like(await viewer.end(delivery), { status: 'done', value: 'gone' });
  const delivered = viewer.snapshots(delivery.sessionId);
  t.deepEqual(statesOf(delivered), ['claiming', 'composing', 'posting', 'settling', 'gone']);
  t.like(delivered.at(-1)?.context, {
    destination: { queue: 'ruth', url: `http://${endpoint.host}` },
    claim: { messageId: id },
    tidings: { type: 'end' },
    posted: { type: 'delivered' },
  });
});

test('no message, reply, error, audio, key or secret of a callback is shown', async (t) => {
  const { url, inspectorUrl, worker, endpoint, client } = await anInspectedBroker(t);
  const viewer = await aViewer(t, inspectorUrl);
  const delivery = `http://${endpoint.host}`;
  const answer = async (n: number, ...events: readonly object[]) => {
    const call = await worker.call(n);
    call.say({ type: 'progress', text: 'hush, a reply' }, ...events);
    call.end();
  };
  const complete = { ...COMPLETE, response: { ...COMPLETE.response, responses: ['hush, a reply'] } };

  endpoint.respond = () => ({ status: 410, headers: { 'x-hush': 'hush' } });
  const fields = { speaker: 'hush', client_message_id: 'hush', callback_url: `${endpoint.url}/hush?signature=hush` };
  const ids = [await client.send('ruth', 'hush, a message', fields)];
  await answer(1, complete);
  await viewer.end(await viewer.actor(`delivery ruth ${delivery}`));
  await viewer.end(await viewer.actor('user ruth'));

  const audio = { message_type: 'audio', audio_base64: btoa('hush, a recording'), audio_format: 'ogg' };
  ids.push(await client.send('boaz', '', audio));
  await answer(2, { type: 'error', error: 'hush, an error' });
  t.like(theEnd(await client.all('boaz', String(ids[1]))), { event: 'error', error: 'hush, an error' });
  await viewer.end(await viewer.actor('user boaz'));

  // With this one goes the key that the client called with.
  endpoint.respond = () => ({ status: 204 });
  const accepted = await fetch(`${url}/api/v1/chat/callback`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...aBody('naomi', 'hush, a message', { org: 'unfoldingWord', message_type: 'text' }),
      message_key: 'hush',
      progress_callback_url: endpoint.url,
    }),
  });
  t.is(accepted.status, 202);
  ids.push(JSON.parse(await accepted.text()).message_id);
  await answer(3, complete);
  await viewer.end(await viewer.actor(`delivery naomi ${delivery}`));
  await viewer.end(await viewer.actor('user naomi'));

  t.is(endpoint.calls.at(-1)?.headers['x-engine-token'], KEY);
  for (const id of ids) t.true(viewer.texts.some((text) => text.includes(id)));
  const secrets = [/hush/i, /aHVzaC/, /sha256/, /whsec_/];
  for (const text of viewer.texts) for (const secret of secrets) t.notRegex(text, secret);
});

test('who comes late is told first what actors there are, and how they stand, then what happens', async (t) => {
  const { inspectorUrl, worker, client } = await anInspectedBroker(t);
  const early = await aViewer(t, inspectorUrl);
  await client.send('boaz', 'hello');
  const first = await worker.call(1);
  first.say(COMPLETE);
  first.end();
  await early.end(await early.actor('user boaz'));
  const id = await client.send('ruth', 'hello');
  const second = await worker.call(2);
  second.say({ type: 'status', message: 'Working' });
  await client.streaming('ruth', id);

  const late = await aViewer(t, inspectorUrl);
  const ruth = await late.actor('user ruth');
  t.like(ruth.snapshot, {
    status: 'active',
    value: 'streaming',
    context: { claim: { messageId: id } },
  });
  second.say(COMPLETE);
  second.end();
  await late.end(ruth);
  const greeted = late.frames.slice(0, 3).map((frame) => frame.type === '@xstate.actor' && frame.name);
  t.deepEqual(greeted, ['worker-health', 'supervisor', 'user ruth']);
  const states = statesOf([ruth.snapshot, ...late.snapshots(ruth.sessionId)]);
  t.deepEqual(states.slice(0, 2), ['streaming', 'idle']);
  // Of those that are gone nothing is kept.
  for (const text of late.texts) t.notRegex(text, /boaz/);
});

test('INSPECT_USERS: only those users are shown, and what is about nobody', async (t) => {
  const worker = await aWorker(t);
  const endpoint = await anEndpoint(t);
  const { client, inspectorUrl } = await aBroker(t, {
    ...(await aStore(t, 'embedded')),
    ...ON,
    INSPECT_USERS: 'naomi, ruth',
    WORKER_BASE_URL: worker.url,
    CALLBACK_ALLOW_HOSTS: endpoint.host,
  });
  const viewer = await aViewer(t, inspectorUrl);
  // Of him the supervisor, the worker's health and a delivery are told as well.
  const others = await client.send('boaz', '[[reset failtimes=1]] hello', { callback_url: endpoint.url });
  t.like(theEnd(await client.all('boaz', others)), { event: 'done' });
  await endpoint.until(() => endpoint.calls.length === 1);
  await client.send('ruth', 'hello', { callback_url: endpoint.url });
  await viewer.end(await viewer.actor('user ruth'));
  await viewer.end(await viewer.actor(`delivery ruth http://${endpoint.host}`));
  const supervisor = await viewer.actor('supervisor');
  t.true(viewer.events(supervisor.sessionId).some(({ type, queue }) => type === 'queue.work' && queue === 'ruth'));
  const health = await viewer.actor('worker-health');
  // It is told of him, too, but not that it was he.
  t.true(viewer.events(health.sessionId).some(({ type }) => type === 'call.unreachable'));
  for (const text of viewer.texts) t.notRegex(text, /boaz/);
});

test("the package's own receiver understands what it is sent, in the version that is said", async (t) => {
  const { inspectorUrl } = await anInspectedBroker(t);
  const received = Promise.withResolvers<StatelyInspectionEvent>();
  createWebSocketReceiver({ server: inspectorUrl.replace('http:', 'ws:') }).subscribe(received.resolve);
  const manifest = new URL('../package.json', import.meta.resolve('@statelyai/inspect'));
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  t.like(await received.promise, { type: '@xstate.actor', name: 'worker-health', _version: version });
});

const LOOPBACK_ORIGINS = ['http://localhost:3000', 'http://127.0.0.1', 'http://[::1]:8080'];
const FOREIGN_ORIGINS = [
  'https://app.example',
  'https://stately.ai',
  'null',
  'http://stately.ai',
  'https://stately.ai.example',
  'http://localhost.example:8080',
];

test('only pages of this machine may look', async (t) => {
  const { inspectorUrl } = await anInspectedBroker(t);
  for (const origin of LOOPBACK_ORIGINS) {
    const viewer = await aViewer(t, inspectorUrl, origin);
    await viewer.actor('supervisor');
  }
  for (const origin of FOREIGN_ORIGINS) {
    const { socket, texts } = new Viewer(inspectorUrl, origin);
    const [, answer] = await once(socket, 'unexpected-response');
    t.is(answer.statusCode, 403, origin);
    t.deepEqual(texts, []);
    answer.destroy();
  }
});

test('what a client sends is passed on to nobody, and one that sends much is let go', async (t) => {
  const { inspectorUrl } = await anInspectedBroker(t);
  const other = await aViewer(t, inspectorUrl);
  const viewer = await aViewer(t, inspectorUrl);
  viewer.socket.send(JSON.stringify({ type: '@xstate.actor', name: 'forged', _version: '1' }));
  viewer.socket.send('x'.repeat(2000));
  const [code] = await once(viewer.socket, 'close');
  t.is(code, 1009);
  const next = await aViewer(t, inspectorUrl);
  await next.actor('supervisor');
  for (const { texts } of [other, next]) for (const text of texts) t.notRegex(text, /forged/);
});

test('it listens on the loopback address only', async (t) => {
  const { inspectorUrl } = await anInspectedBroker(t);
  t.is(new URL(inspectorUrl).hostname, '127.0.0.1');
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  // All of 127.0.0.0/8 is this machine.
  const others = ['127.0.0.2', ...own.filter((address) => address !== '127.0.0.1')];
  for (const host of others) await t.throwsAsync(connected(host, inspectorUrl), undefined, host);
  await t.notThrowsAsync(connected('127.0.0.1', inspectorUrl));
});

async function connected(host: string, url: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), host);
  await once(socket, 'connect');
  socket.destroy();
}

test('the address to open is printed', async (t) => {
  const worker = await aWorker(t);
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const store = await aStore(t, 'embedded');
  const config = readConfig({ ...store, ...ON, HOST: '127.0.0.1', PORT: '0', WORKER_BASE_URL: worker.url });
  const broker = await startBroker(config, log);
  t.teardown(broker.stop);
  const line = lines.find((text) => text.includes('INSPECT is on'));
  t.is(JSON.parse(String(line)).inspector_url, broker.inspectorUrl);
  const page = await fetch(String(broker.inspectorUrl));
  t.regex(await page.text(), /https:\/\/stately\.ai\/inspect/);
});

test('a port that is taken stops the start with a sentence', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const port = portOf(taken);
  const env = { STORE: 'embedded', DATA_DIR: aDirectory(t), INSPECT: 'true', INSPECT_PORT: port };
  await t.throwsAsync(aBroker(t, env), { message: new RegExp(`^INSPECT_PORT ${port} cannot be listened on; stop `) });
});

/** The broker as `npm ci --omit=dev` installs it; answers the file to run. */
function anInstallation(t: ExecutionContext): string {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const installed = aDirectory(t);
  for (const part of ['package.json', 'src', 'machines']) {
    cpSync(join(root, part), join(installed, part), { recursive: true });
  }
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    const place = join(installed, 'node_modules', name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), place);
  }
  return join(installed, 'src/main.ts');
}

test('without INSPECT nothing of it is loaded, and nothing listens', async (t) => {
  const worker = await aWorker(t);
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const port = portOf(free);
  free.close();
  const env = { STORE: 'embedded', DATA_DIR: aDirectory(t), WORKER_BASE_URL: worker.url, INSPECT_PORT: port };
  const entry = anInstallation(t);
  // Where the inspector's packages are not installed it runs all the same, and has them not.
  const broker = await startBrokerProcess(env, entry);
  t.teardown(() => void broker.child.kill('SIGKILL'));
  t.like(theEnd(await broker.client.all('u', await broker.client.send('u', 'hello'))), { event: 'done' });
  await t.throwsAsync(connected('127.0.0.1', `http://127.0.0.1:${port}`), { message: /ECONNREFUSED/ });
  t.is(await broker.end('SIGTERM'), 0);

  const refused = await t.throwsAsync(startBrokerProcess({ ...env, INSPECT: 'true' }, entry), {
    instanceOf: EndedEarly,
  });
  t.is(refused?.by, 1);
  t.regex(
    String(refused?.message),
    /INSPECT is true, but what it needs is not installed; run npm ci without --omit=dev/,
  );
});

function portOf(server: Server): string {
  const address = server.address();
  return String(typeof address === 'object' && address?.port);
}
