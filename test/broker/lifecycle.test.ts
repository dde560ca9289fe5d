import { createServer } from 'node:net';
import test from 'ava';
import { aDirectory, aStore, aWorker, STORES } from '../helpers/broker.ts';
import { theEnd } from '../helpers/client.ts';
import { aBrokerProcess, endedBroker } from '../helpers/process.ts';

for (const kind of STORES) {
  test(`${kind}: killed with messages waiting and one in flight, a new broker runs all of them in order`, async (t) => {
    const worker = await aWorker(t);
    const env = { ...(await aStore(t, kind)), WORKER_BASE_URL: worker.url, LEASE_SECONDS: '5' };
    const killed = await aBrokerProcess(t, env);
    const ids = [await killed.client.send('u', '[[text="in flight" ttft=60000]]')];
    await killed.client.streaming('u', ids[0] ?? '');
    for (const text of ['two', 'three', 'four']) ids.push(await killed.client.send('u', text));
    t.is(await killed.end('SIGKILL'), 'SIGKILL');

    worker.respond = () => ({ text: 'again' });
    const { client, end } = await aBrokerProcess(t, env);
    const first = await client.all('u', ids[0] ?? '');
    t.deepEqual(
      first.flatMap(({ event }) => event ?? []),
      ['queued', 'processing', 'retrying', 'processing', 'done'],
    );
    for (const id of ids) t.like(theEnd(await client.all('u', id)), { event: 'done', status: 'completed' });
    t.deepEqual(
      worker.calls.map((call) => call.idempotencyKey),
      [ids[0], ...ids],
    );
    t.deepEqual(
      worker.calls.map((call) => call.attempt),
      [1, 2, 1, 1, 1],
    );
    t.deepEqual(worker.overlaps(), []);
    t.is(await end('SIGTERM'), 0);
  });

  test(`${kind}: SIGTERM lets the open call finish, takes no more, and leaves the rest for the next start`, async (t) => {
    const worker = await aWorker(t);
    const env = { ...(await aStore(t, kind)), WORKER_BASE_URL: worker.url, SHUTDOWN_SECONDS: '60' };
    const stopping = await aBrokerProcess(t, env);
    const running = await stopping.client.send('u', '[[text="one two three" ttft=60000]]');
    const stream = stopping.client.all('u', running);
    await stopping.client.streaming('u', running);
    const waiting = await stopping.client.send('u', 'later');
    const code = stopping.end('SIGTERM');
    // The drain lasts as long as the call, which is open: asked until it shows.
    let ready = await stopping.client.get('/health/ready');
    while (ready.status === 200) ready = await stopping.client.get('/health/ready');
    t.like(ready, { status: 503, body: { status: 'draining' } });
    t.is((await stopping.client.get('/health/live')).status, 200);
    t.like(await stopping.client.post({}), { status: 503, body: { code: 'draining' } });
    worker.hurry();
    t.like(theEnd(await stream), { event: 'done', status: 'completed' });
    t.is(await code, 0);
    t.is(worker.calls.length, 1);

    const { client } = await aBrokerProcess(t, env);
    t.like(theEnd(await client.all('u', waiting)), { event: 'done', status: 'completed' });
    t.like(theEnd(await client.all('u', running)), { event: 'done', status: 'completed' });
  });

  test(`${kind}: a call still open after SHUTDOWN_SECONDS is handed over at once`, async (t) => {
    const worker = await aWorker(t);
    const env = {
      ...(await aStore(t, kind)),
      WORKER_BASE_URL: worker.url,
      SHUTDOWN_SECONDS: '0.2',
      LEASE_SECONDS: '3600',
    };
    const stopping = await aBrokerProcess(t, env);
    const id = await stopping.client.send('u', '[[text="slow" ttft=60000]]');
    await stopping.client.streaming('u', id);
    t.is(await stopping.end('SIGTERM'), 0);
    worker.respond = () => ({ text: 'quick' });
    const { client } = await aBrokerProcess(t, env);
    t.like(theEnd(await client.all('u', id)), { event: 'done', status: 'completed' });
  });
}

test('a broker whose settings cannot be used says everything that is wrong at once, and no secret', async (t) => {
  const { code, output } = await endedBroker(t, {
    NODE_ENV: 'production',
    REDIS_URL: 'http://user:hunter2@localhost',
    STORE: 'postgres',
    WORKER_BASE_URL: 'ftp://worker',
    WORKER_API_KEY: 'hunter2 with a space',
    LOG_LEVEL: 'loud',
    PORT: '99999',
    MAX_ATTEMPTS: '0',
    LEASE_SECONDS: 'soon',
  });
  t.is(code, 1);
  for (const name of [
    'BROKER_API_KEY',
    'REDIS_URL',
    'STORE',
    'WORKER_BASE_URL',
    'WORKER_API_KEY',
    'LOG_LEVEL',
    'PORT',
    'MAX_ATTEMPTS',
    'LEASE_SECONDS',
  ]) {
    t.regex(output, new RegExp(`^  ${name} .*\\.$`, 'm'));
  }
  t.notRegex(output, /hunter2/);
});

test('a port that is taken is one clear sentence', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  const { code, output } = await endedBroker(t, { PORT: port, STORE: 'embedded', DATA_DIR: aDirectory(t) });
  t.is(code, 1);
  t.regex(output, /EADDRINUSE.*set another PORT\./);
});

test('told again later that it is to end, it ends at once', async (t) => {
  const worker = await aWorker(t);
  const env = { ...(await aStore(t, 'embedded')), WORKER_BASE_URL: worker.url, SHUTDOWN_SECONDS: '60' };
  const { client, child, end } = await aBrokerProcess(t, env);
  await client.streaming('u', await client.send('u', '[[text="one two three" ttft=60000]]'));
  const ended = end('SIGTERM');
  // As often as it answers that it goes on.
  while (await client.get('/health/live').catch(() => undefined)) child.kill('SIGTERM');
  t.is(await ended, 1);
});

test('a second broker on the same embedded file is refused with a sentence that says what to do', async (t) => {
  const env = { STORE: 'embedded', DATA_DIR: aDirectory(t) };
  await aBrokerProcess(t, env);
  const { code, output } = await endedBroker(t, env);
  t.is(code, 1);
  t.regex(output, /give this one a DATA_DIR of its own or a REDIS_URL/);
});
