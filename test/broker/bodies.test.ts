import { once } from 'node:events';
import { type ClientRequest, createServer, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import Koa from 'koa';
import { pino } from 'pino';
import { Bodies, jsonBody } from '../../src/http/body.ts';
import { problems } from '../../src/http/problem.ts';
import { Metrics } from '../../src/metrics.ts';
import { aDirectory, aWorker } from '../helpers/broker.ts';
import { aBody } from '../helpers/client.ts';
import { aBrokerProcess } from '../helpers/process.ts';

const ROOM = 1_000_000;
/** Two of these are too large together. */
const LARGE = 600_000;
const SMALL = 60_000;
const FULL = { status: 503, code: 'bodies_full', retryAfter: '2' };
const CHUNKED = { 'transfer-encoding': 'chunked' };
const GZIP = { 'content-encoding': 'gzip' };

/** JSON of so many bytes. */
function jsonOf(bytes: number): string {
  return `"${'x'.repeat(bytes - 2)}"`;
}

/** A server that reads bodies; what says so is kept until `finish`, or is a fault. */
async function aReader(t: ExecutionContext) {
  const finish = Promise.withResolvers<void>();
  const app = new Koa();
  app.silent = true;
  app.use(problems(pino({ level: 'silent' }), new Metrics()));
  app.use(jsonBody(new Bodies(ROOM, ROOM)));
  app.use(async (ctx) => {
    if (ctx.get('x-do') === 'fail') throw new Error('as it was told');
    if (ctx.get('x-do') === 'keep') {
      server.emit('kept');
      await finish.promise;
    }
    ctx.status = 204;
  });
  const handle = app.callback();
  const server = createServer((req, res) => void handle(req, res)).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address?.port}`;
  const post = (body: string | Buffer, headers: OutgoingHttpHeaders = {}) => answerTo(opened(url, headers).end(body));
  const keep = async (body: string) => {
    const kept = once(server, 'kept');
    const answer = post(body, { 'x-do': 'keep' });
    await kept;
    return { answer };
  };
  return { server, url, post, keep, finish: finish.resolve };
}

/** A body that is begun. */
function opened(url: string, headers: OutgoingHttpHeaders): ClientRequest {
  return request(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } });
}

async function answerTo(asked: ClientRequest) {
  const [response]: IncomingMessage[] = await once(asked, 'response');
  if (!response) throw new Error('there is no response');
  // The rest of a body that was refused may still be on its way when the server goes.
  asked.on('error', () => {});
  const body = await text(response);
  return {
    status: response.statusCode,
    code: body && JSON.parse(body).code,
    retryAfter: response.headers['retry-after'],
  };
}

test('large bodies that are too many at once are refused, small ones never; afterwards there is room again', async (t) => {
  const { post, keep, finish } = await aReader(t);
  const { answer } = await keep(jsonOf(LARGE));
  t.deepEqual(await post(jsonOf(LARGE)), FULL);
  t.deepEqual(await post(jsonOf(LARGE), CHUNKED), FULL);
  // Of what is compressed nobody knows how large it is.
  t.deepEqual(await post(gzipSync(jsonOf(SMALL)), GZIP), FULL);
  const { answer: other } = await keep(jsonOf(ROOM - LARGE));
  for (const headers of [{}, CHUNKED]) t.like(await post(jsonOf(SMALL), headers), { status: 204 });
  finish();
  for (const kept of [answer, other]) t.like(await kept, { status: 204 });
  t.like(await post(jsonOf(LARGE)), { status: 204 });
});

const COUNTED: Record<string, { body: string | Buffer; headers?: OutgoingHttpHeaders; status: number }> = {
  'all is well': { body: jsonOf(LARGE), status: 204 },
  'it came in chunks': { body: jsonOf(LARGE), headers: CHUNKED, status: 204 },
  'it was compressed': { body: gzipSync(jsonOf(LARGE)), headers: GZIP, status: 204 },
  'it is not JSON': { body: 'x'.repeat(LARGE), status: 400 },
  'it is not compressed': { body: jsonOf(LARGE), headers: GZIP, status: 400 },
  'it is compressed in a way that is not known': { body: '', headers: { 'content-encoding': 'x' }, status: 415 },
  'it is too large': { body: jsonOf(ROOM + 1), status: 413 },
  'it becomes too large': { body: jsonOf(ROOM + 1), headers: CHUNKED, status: 413 },
  'the broker fails': { body: jsonOf(LARGE), headers: { 'x-do': 'fail' }, status: 500 },
};

for (const [name, { body, headers, status }] of Object.entries(COUNTED)) {
  test(`no body is counted any more when ${name}`, async (t) => {
    const { post } = await aReader(t);
    t.like(await post(body, headers), { status });
    // Two that fill all there is: the second one finds nothing but the first.
    t.like(await post(jsonOf(ROOM)), { status: 204 });
    t.like(await post(jsonOf(ROOM), CHUNKED), { status: 204 });
  });
}

for (const [name, headers] of Object.entries({
  'of a known size': { 'content-length': LARGE },
  'in chunks': CHUNKED,
})) {
  test(`no body is counted any more when the client is gone: one ${name}`, async (t) => {
    const { server, url, post } = await aReader(t);
    const leaving = opened(url, headers).on('error', () => {});
    const requested = once(server, 'request');
    leaving.write('x'.repeat(LARGE / 2));
    const [incoming]: IncomingMessage[] = await requested;
    if (!incoming) return t.fail();
    await once(incoming, 'data');
    t.deepEqual(await post(jsonOf(ROOM)), FULL);
    const closed = new Promise<void>((resolve) => void incoming.once('close', resolve));
    leaving.destroy();
    await closed;
    t.like(await post(jsonOf(ROOM)), { status: 204 });
  });
}

const RECORDING_BYTES = 12_000_000;
/** Two recordings are more than their share of such a heap, nine more than all of it. */
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=4' };
const CALL_THAT_STAYS_OPEN = '[[stall=1]]'.padEnd(RECORDING_BYTES);

async function aSmallBroker(t: ExecutionContext) {
  const worker = await aWorker(t);
  const env = { STORE: 'embedded', DATA_DIR: aDirectory(t), WORKER_BASE_URL: worker.url, ...SMALL_HEAP };
  return { worker, ...(await aBrokerProcess(t, env)) };
}

test('while a large body is being read, a broker with little memory refuses another one, by either door', async (t) => {
  const { client } = await aSmallBroker(t);
  const body = JSON.stringify(aBody('ruth', CALL_THAT_STAYS_OPEN));
  const begun = opened(`${client.url}/api/v1/message`, { 'content-length': body.length });
  const answer = answerTo(begun);
  begun.write(body.slice(0, SMALL));
  for (const path of ['/api/v1/message', '/api/v1/chat/callback']) {
    const another = () => answerTo(opened(`${client.url}${path}`, { 'content-length': body.length }).end(body));
    let told = await another();
    // It may have come before the first one.
    while (told.status !== 503) told = await another();
    t.like(told, { code: path === '/api/v1/message' ? 'bodies_full' : 'BODIES_FULL', retryAfter: '2' });
  }
  begun.end(body.slice(SMALL));
  t.like(await answer, { status: 202 });
});

test('of what is said in an open call a broker keeps nothing', async (t) => {
  const { client, worker } = await aSmallBroker(t);
  const headers = { 'content-type': 'application/json' };
  for (let calls = 1; calls <= 10; calls += 1) {
    const body = JSON.stringify(aBody(`user-${calls}`, CALL_THAT_STAYS_OPEN));
    const answered = client.request('POST', '/api/v1/chat', { headers, body }).then(({ status }) => {
      throw new Error(`answered ${status}`);
    });
    await Promise.race([worker.waitForCalls(calls), answered]);
    // It is open until the broker is gone.
    answered.catch(() => {});
  }
  t.like((await client.get('/health')).body, { messages_processing: 10 });
});
