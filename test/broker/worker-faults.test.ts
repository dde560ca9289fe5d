import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import nock from 'nock';
import { aBroker, aStore, aSystem, STORES } from '../helpers/broker.ts';
import { theEnd } from '../helpers/client.ts';

const WORKER = 'http://worker.test';

/** A real port whose answers are nock's: the broker speaks to it over a socket as it does to any worker. */
async function aNockedWorker(t: ExecutionContext): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { host: _host, 'content-length': _length, connection: _connection, ...headers } = incoming.headers;
    const asked = request(`${WORKER}${incoming.url}`, { method: incoming.method ?? 'GET', headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    asked.on('error', () => outgoing.destroy());
    incoming.pipe(asked);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address: AddressInfo | string | null = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`;
}

const FAULTS: Record<string, { text: string; code: string; env?: Record<string, string>; says?: RegExp }> = {
  'answers 500': { text: '[[status=500]]', code: 'worker_error', says: /500/ },
  'answers 400': { text: '[[status=400]]', code: 'worker_rejected', says: /400/ },
  'answers 503 each time': { text: '[[status=503]]', code: 'worker_unavailable', says: /3 attempts/ },
  'resets each connection': { text: '[[reset]]', code: 'worker_unavailable', says: /3 attempts/ },
  'never answers': {
    text: '[[hang]]',
    code: 'worker_timeout',
    env: { WORKER_IDLE_TIMEOUT_SECONDS: '8' },
    says: /nothing for 8 s/,
  },
  'falls silent in the middle': {
    text: '[[stall=2]]',
    code: 'worker_timeout',
    env: { WORKER_IDLE_TIMEOUT_SECONDS: '8' },
  },
  'takes too long in all': {
    text: '[[text="a b c" ttft=60000]]',
    code: 'worker_timeout',
    env: { WORKER_TIMEOUT_SECONDS: '8' },
    says: /longer than 8 s/,
  },
  'dies in the middle': { text: '[[midfail=2]]', code: 'worker_stream_broken' },
  'ends without complete': { text: '[[nocomplete]]', code: 'worker_stream_broken' },
  'answers rubbish': { text: '[[garbage]]', code: 'worker_stream_broken' },
  'says that its model failed': { text: '[[fail=401]]', code: 'worker_error', says: /authentication_error/ },
};

for (const kind of STORES) {
  for (const [name, { text, code, env = {}, says = /./ }] of Object.entries(FAULTS)) {
    test(`${kind}: a worker that ${name} ends the message with a word, and the next one runs`, async (t) => {
      const { client, worker } = await aSystem(t, kind, { env });
      const first = await client.send('u', text);
      const second = await client.send('u', 'hello');
      const events = await client.all('u', first);
      const end = theEnd(events);
      t.like(end, { event: 'error', status: 'failed', code, message_id: first });
      t.regex(String(end['error']), says);
      t.like(theEnd(await client.all('u', second)), { event: 'done', status: 'completed' });
      const attempts = worker.calls.filter((call) => call.idempotencyKey === first).map((call) => call.attempt);
      t.deepEqual(attempts, code === 'worker_unavailable' ? [1, 2, 3] : [1]);
    });
  }

  test(`${kind}: 429 with Retry-After is tried again, and says so to the listener`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const id = await client.send('u', '[[status=429 retryafter=1 failtimes=1 text="at last"]]');
    const events = await client.all('u', id);
    t.deepEqual(
      events.filter(({ event }) => event).map(({ event, data }) => [event, JSON.parse(data).attempt]),
      [
        ['queued', undefined],
        ['processing', 1],
        ['retrying', 2],
        ['processing', 2],
        ['done', undefined],
      ],
    );
    const [first, second] = worker.calls;
    t.true((second?.startedMs ?? 0) - (first?.endedMs ?? 0) >= 990, 'not before Retry-After is over');
    t.deepEqual(
      worker.calls.map((call) => call.attempt),
      [1, 2],
    );
  });

  test(`${kind}: while the worker refuses connections messages wait and none fails; once it is back all run in order`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    await worker.stop();
    const users = Array.from({ length: 10 }, (_, n) => `user-${n}`);
    const sent = await Promise.all(
      users.map(async (user) => ({ user, ids: [await client.send(user, 'first'), await client.send(user, 'second')] })),
    );
    let health = (await client.get('/health')).body;
    while (health['worker_circuit'] !== 'open') health = (await client.get('/health')).body;
    t.like(health, { status: 'degraded', worker_connected: false });
    t.false(Number.isNaN(Date.parse(String(health['degraded_since']))));
    await worker.start();
    for (const { user, ids } of sent) {
      for (const id of ids) t.like(theEnd(await client.all(user, id)), { event: 'done', status: 'completed' });
      const called = worker.calls.filter((call) => call.user_id === user).map((call) => call.idempotencyKey);
      t.deepEqual(called, ids);
    }
    t.deepEqual(worker.overlaps(), []);
    while ((await client.get('/health')).body['worker_circuit'] !== 'closed');
    t.like((await client.get('/health')).body, { status: 'healthy', degraded_since: null });
  });

  test(`${kind}: a message that breaks its own call ends as failed, and stops nobody else`, async (t) => {
    const { client } = await aSystem(t, kind);
    const poison = await client.send('u', '[[reset]]');
    const next = await client.send('u', 'next');
    const others = ['v', 'w'].map(async (user) => theEnd(await client.all(user, await client.send(user, 'hello'))));
    for (const end of await Promise.all(others)) t.like(end, { event: 'done' });
    t.like(theEnd(await client.all('u', poison)), { event: 'error', status: 'failed', code: 'worker_unavailable' });
    t.like(theEnd(await client.all('u', next)), { event: 'done' });
    // On a busy machine the worker may be late with its answer to the probe, and the circuit open for a moment.
    while ((await client.get('/health')).body['worker_circuit'] !== 'closed');
    t.like((await client.get('/health')).body, { status: 'healthy' });
  });

  test(`${kind}: one user's stuck call delays nobody else`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    await client.send('stuck', '[[hang]]');
    await worker.waitForCalls(1);
    const ends = await Promise.all(
      Array.from({ length: 20 }, async (_, n) =>
        theEnd(await client.all(`u${n}`, await client.send(`u${n}`, 'hello'))),
      ),
    );
    t.true(ends.every((end) => end['status'] === 'completed'));
  });
}

test.serial('odd HTTP answers of the worker each end the message with a word', async (t) => {
  const url = await aNockedWorker(t);
  const store = await aStore(t, 'embedded');
  const { client } = await aBroker(t, {
    ...store,
    WORKER_BASE_URL: url,
    WORKER_API_KEY: 'secret-of-the-worker',
    MAX_ATTEMPTS: '1',
  });
  t.teardown(() => nock.cleanAll());
  nock(WORKER).persist().get('/health').reply(200, { status: 'healthy' });
  const answers: [status: number, body: string, headers: Record<string, string>, code: string][] = [
    [401, '{"error":"Authorization header with Bearer token required"}', {}, 'worker_unauthorized'],
    [403, '{"error":"Invalid API key"}', {}, 'worker_unauthorized'],
    [400, '{"error":"user_id is required"}', {}, 'worker_rejected'],
    [404, 'Not found', {}, 'worker_rejected'],
    [413, '', {}, 'worker_rejected'],
    [500, '<html>oh dear</html>', { 'content-type': 'text/html' }, 'worker_error'],
    [429, '{"error":"Request in progress"}', { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }, 'worker_unavailable'],
    [502, 'bad gateway', {}, 'worker_unavailable'],
    [504, '', { 'retry-after': 'soon' }, 'worker_unavailable'],
    [301, '', { location: 'http://elsewhere.test/' }, 'worker_rejected'],
    [200, '{"not":"a stream"}', { 'content-type': 'application/json' }, 'worker_stream_broken'],
  ];
  for (const [status, body, headers, code] of answers) {
    const scope = nock(WORKER, { reqheaders: { authorization: 'Bearer secret-of-the-worker', 'x-attempt': '1' } })
      .post('/api/v1/chat/stream')
      .reply(status, body, headers);
    const end = theEnd(await client.all('u', await client.send('u', 'hello')));
    t.like(end, { event: 'error', status: 'failed', code }, `${status} ${body}`);
    t.notRegex(String(end['error']), /secret-of-the-worker/);
    t.true(scope.isDone());
  }
});
