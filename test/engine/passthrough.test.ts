import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { aBroker, aStore, aWorker } from '../helpers/broker.ts';
import { fetchDocumented } from '../helpers/openapi.ts';
import { aBrokerProcess } from '../helpers/process.ts';

const KEY = 'the-clients-key';
const WORKER_KEY = 'the-workers-key';
const MB = 1_000_000;
/** Ten times the largest audio there is: held anywhere on the way it would show. */
const LARGE_MB = 250;

async function aPassage(t: ExecutionContext, more: Record<string, string> = {}) {
  const worker = await aWorker(t, { apiKey: WORKER_KEY });
  const env = {
    ...(await aStore(t, 'embedded')),
    WORKER_BASE_URL: worker.url,
    WORKER_API_KEY: WORKER_KEY,
    BROKER_API_KEY: KEY,
    ...more,
  };
  const { url } = await aBroker(t, env);
  const straight = (path: string, init: RequestInit = {}) => fetch(`${worker.url}${path}`, withKey(init, WORKER_KEY));
  const through = (path: string, init: RequestInit = {}) => fetchDocumented(`${url}${path}`, withKey(init, KEY));
  return { worker, url, straight, through };
}

function withKey(init: RequestInit, key: string): RequestInit {
  return { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } };
}

/** What a client can see of an answer, but for what every server says for itself. */
async function seen(response: Response) {
  const own = ['date', 'connection', 'keep-alive', 'x-request-id', 'transfer-encoding'];
  const headers = [...response.headers].filter(([name]) => !own.includes(name)).toSorted();
  return { status: response.status, headers, body: await response.text() };
}

test('answers come through untouched: bodies, ranges, ETags, and errors', async (t) => {
  const { straight, through } = await aPassage(t);
  const etag = (await straight('/api/v1/audio/large/1000.opus')).headers.get('etag') ?? '';
  t.truthy(etag);
  const asked: readonly (readonly [string, RequestInit?])[] = [
    ['/api/v1/audio/large/1000.opus'],
    ['/api/v1/audio/large/1000.opus', { headers: { range: 'bytes=100-199' } }],
    ['/api/v1/audio/large/1000.opus', { headers: { range: 'bytes=5000-' } }],
    ['/api/v1/audio/large/1000.opus', { headers: { 'if-none-match': etag } }],
    ['/api/v1/audio/large/1000.opus', { method: 'HEAD' }],
    ['/api/v1/audio/unknown.opus'],
    ['/api/v1/voice-submissions/unknown.ogg'],
    ['/api/v1/orgs/unfoldingWord/users/nobody/history?limit=5&offset=0'],
    ['/api/v1/orgs/unfoldingWord/nothing?a=b%20c&a=%C3%A4', { method: 'DELETE' }],
    ['/public/logo.txt'],
  ];
  for (const [path, init] of asked) {
    t.deepEqual(
      await seen(await through(path, init)),
      await seen(await straight(path, init)),
      `${init?.method ?? 'GET'} ${path}`,
    );
  }
});

test('large audio streams through in both directions, and is not held in memory', async (t) => {
  const worker = await aWorker(t, { apiKey: WORKER_KEY });
  const env = { ...(await aStore(t, 'embedded')), WORKER_BASE_URL: worker.url, WORKER_API_KEY: WORKER_KEY };
  const broker = await aBrokerProcess(t, env);
  const through = (path: string, init: RequestInit = {}) => fetchDocumented(`${broker.client.url}${path}`, init);
  await (await through('/api/v1/audio/large/1000.opus')).text();
  const before = await peakOf(broker.child.pid);
  const response = await through(`/api/v1/audio/large/${LARGE_MB * MB}.opus`);
  let bytes = 0;
  for await (const chunk of response.body ?? []) bytes += chunk.length;
  t.is(bytes, LARGE_MB * MB);
  const sent = createHash('sha256');
  function* upload() {
    for (let n = 0; n < LARGE_MB; n += 1) {
      const piece = Buffer.alloc(MB, n);
      sent.update(piece);
      yield piece;
    }
  }
  const put = await through('/api/v1/orgs/unfoldingWord/uploads/large.ogg', {
    method: 'PUT',
    body: ReadableStream.from(upload()),
    duplex: 'half',
  });
  t.like(JSON.parse(await put.text()), { bytes: LARGE_MB * MB, sha256: sent.digest('hex') });
  const grown = (await peakOf(broker.child.pid)) - before;
  t.true(grown < (LARGE_MB * MB) / 2, `${grown} bytes more than before`);
  t.is(await broker.end('SIGTERM'), 0);
});

test('a download that its client leaves ends at the engine, too', async (t) => {
  const { worker, through } = await aPassage(t);
  const leave = new AbortController();
  const response = await through('/api/v1/audio/large/2000000000.opus', { signal: leave.signal });
  await response.body?.getReader().read();
  leave.abort();
  await worker.until(() => worker.requests.find(({ url, endedAt }) => url.includes('/large/') && endedAt) ?? undefined);
  t.pass();
});

test("the client's key is replaced by the worker's, which nobody gets to see", async (t) => {
  const { worker, url } = await aPassage(t);
  await raw(`${url}/api/v1/orgs/o/users/u/history`, {
    'x-api-key': KEY,
    authorization: `Bearer ${KEY}`,
    connection: 'close, x-hop',
    'x-hop': '1',
    te: 'trailers',
    'x-kept': '1',
  });
  await raw(`${url}/public/logo.txt`, { authorization: `Bearer ${KEY}` });
  const [last] = worker.requests.slice(-1);
  const history = worker.requests.findLast(({ url: path }) => path.includes('/history'));
  t.is(history?.headers['authorization'], `Bearer ${WORKER_KEY}`);
  t.is(history?.headers['x-kept'], '1');
  for (const name of ['x-api-key', 'x-hop', 'te']) t.is(history?.headers[name], undefined, name);
  t.is(last?.headers['authorization'], undefined, 'what is public needs no key');
});

test('a request is named by one id, here and at the engine', async (t) => {
  const named: unknown[] = [];
  const engine = createServer((request, response) => {
    if (request.url !== '/health') named.push(request.headers['x-request-id']);
    response.setHeader('x-request-id', "the engine's own").end();
  });
  await once(engine.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => engine.close());
  const address = engine.address();
  const port = typeof address === 'object' ? address?.port : address;
  const store = await aStore(t, 'embedded');
  const { url } = await aBroker(t, { ...store, WORKER_BASE_URL: `http://127.0.0.1:${port}` });
  const path = `${url}/public/logo.txt`;
  const given = await fetchDocumented(path, { headers: { 'x-request-id': 'request-7' } });
  const made = await fetchDocumented(path);
  t.is(given.headers.get('x-request-id'), 'request-7');
  t.deepEqual(named, ['request-7', made.headers.get('x-request-id')]);
});

test('what has a key is asked for it in the words of the engine, what is public is not', async (t) => {
  const { url } = await aPassage(t);
  for (const path of [
    '/api/v1/orgs/o/x',
    '/api/v1/audio/a.opus',
    '/api/v1/voice-submissions/a.ogg',
    '/api/v1/admin/orgs',
  ]) {
    const without = await fetchDocumented(`${url}${path}`);
    t.is(without.status, 401, path);
    t.deepEqual(JSON.parse(await without.text()), { error: 'Authorization header with Bearer token required' });
    const wrong = await fetchDocumented(`${url}${path}`, { headers: { authorization: 'Bearer wrong' } });
    t.deepEqual([wrong.status, JSON.parse(await wrong.text())], [403, { error: 'Invalid API key' }]);
  }
  t.is((await fetchDocumented(`${url}/public/logo.txt`)).status, 200);
});

test('administration is let through only when it is asked for, and no path leads around that', async (t) => {
  const { worker, url, through } = await aPassage(t);
  t.is((await through('/api/v1/admin/orgs/o', { method: 'POST' })).status, 404);
  for (const path of [
    '/public/../api/v1/admin/orgs',
    '/public/%2e%2e/api/v1/admin/orgs',
    '/api/v1/audio/../admin/orgs',
    '/api/v1/audio/%2E%2E/admin/orgs',
    '/api/v1/audio/..%5cadmin/orgs',
    '/api/v1/audio/..\\admin/orgs',
    '/api/v1/orgs/./../admin/orgs',
  ]) {
    const status = await raw(`${url}${path}`, { authorization: `Bearer ${KEY}` }, path);
    t.true(status === 400 || status === 404, `${path}: ${status}`);
  }
  t.deepEqual(
    worker.requests.filter(({ url: path }) => path.includes('admin') && !path.includes('%5c')),
    [],
  );
  const { through: asAdmin } = await aPassage(t, { PASSTHROUGH_ADMIN: 'true' });
  t.is((await asAdmin('/api/v1/admin/orgs/o')).status, 200);
});

test('a request that names a whole URL reaches the engine and no other host', async (t) => {
  const { worker, url } = await aPassage(t);
  // Behind the engine's base URL this would be another host: "http://127.0.0.1:port" and "@evil…".
  for (const target of [
    'munity://x/api/v1/orgs/o/users/u/history',
    'http://evil.example/api/v1/orgs/o/users/u/history',
  ]) {
    t.is(await raw(url, { authorization: `Bearer ${KEY}` }, target), 200, target);
  }
  t.deepEqual(
    worker.requests.map(({ url: path }) => path),
    Array.from({ length: 2 }, () => '/api/v1/orgs/o/users/u/history'),
  );
});

test('a wrong method on the doors of chat is told with the right one', async (t) => {
  const { through } = await aPassage(t);
  for (const path of ['/api/v1/chat', '/api/v1/chat/stream', '/api/v1/chat/callback']) {
    const answer = await through(path);
    t.deepEqual(
      [answer.status, answer.headers.get('allow'), await answer.text()],
      [405, 'POST', '{"error":"Method not allowed"}'],
    );
  }
});

test('an engine that is away is a clear 502', async (t) => {
  const { worker, through } = await aPassage(t);
  await worker.stop();
  const answer = await through('/api/v1/audio/a.opus');
  t.is(answer.status, 502);
  t.like(JSON.parse(await answer.text()), { error: 'The engine cannot be reached', code: 'WORKER_UNREACHABLE' });
});

/** The most memory that a process has had so far, in bytes. */
async function peakOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

/** Sends a path as it is written: `fetch` would make another one of it. Answers the status. */
function raw(url: string, headers: Record<string, string>, path = new URL(url).pathname): Promise<number | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ hostname, port, path, headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    request.once('error', reject).end();
  });
}
