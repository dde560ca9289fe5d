import { once } from 'node:events';
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import type { Level } from 'pino';
import { baseOf, shardOf } from '../../src/store/redis/keys.ts';
import { aBroker, aStore, aWorker, STORES, type StoreKind } from '../helpers/broker.ts';
import { aBody, Client, theEnd } from '../helpers/client.ts';
import { anEndpoint } from '../helpers/endpoint.ts';
import { aLog, type Line } from '../helpers/log.ts';
import { freePort } from '../helpers/port.ts';
import { aScriptedWorker, COMPLETE } from '../helpers/scripted-worker.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACE = { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01`, tracestate: 'congo=t61rcWkgMzE' };
const HOLD = '[[text="one two three" ttft=60000]]';
const GROUP = { chat_type: 'group', chat_id: 'G1', org_id: 'o' };

const messagePath = (queue: string, id: string) => `/api/v1/queue/${encodeURIComponent(queue)}/messages/${id}`;
const asked = (id: string) => ({ headers: { 'x-request-id': id } });

async function aSystemWithLog(
  t: ExecutionContext,
  kind: StoreKind,
  { level, ...env }: Record<string, string> & { level?: Level } = {},
) {
  const [worker, endpoint] = [await aWorker(t), await anEndpoint(t)];
  const written = aLog(level);
  const settings = {
    ...(await aStore(t, kind)),
    WORKER_BASE_URL: worker.url,
    CALLBACK_ALLOW_HOSTS: endpoint.host,
    ...env,
  };
  const { url, client, stop } = await aBroker(t, settings, true, written.log);
  /** What `grep` for a message's id finds. */
  const story = (id: string) => written.lines.filter((line) => line['message_id'] === id);
  const ended = (id: string) => written.line(({ message_id, msg }) => message_id === id && msg === 'ended');
  return { worker, endpoint, settings, url, client, stop, story, ended, ...written };
}

/** A message that the worker works on until it is told to hurry. */
async function running(client: Client, user: string, queue = user, fields: Record<string, unknown> = {}) {
  const id = await client.send(user, HOLD, fields);
  await client.streaming(queue, id);
  return id;
}

const words = (lines: readonly Line[]) => lines.map(({ msg }) => msg);

for (const kind of STORES) {
  test(`${kind}: grep for a message's id tells its whole story`, async (t) => {
    const { worker, endpoint, line, story, client } = await aSystemWithLog(t, kind);
    const headers = { 'x-request-id': 'request-7', ...TRACE };
    const text = '[[status=503 failtimes=1]] hello';
    const { body } = await client.post(aBody('ruth', text, { callback_url: endpoint.url }), headers);
    const id = String(body['message_id']);
    t.like(theEnd(await client.all('ruth', id)), { event: 'done' });
    await line(({ msg }) => msg === 'callback delivered');
    t.deepEqual(
      story(id).map(({ msg, attempt, callback_attempt }) => [msg, attempt, callback_attempt]),
      [
        ['accepted', undefined, undefined],
        ['dispatched', 1, undefined],
        ['retrying', 1, undefined],
        ['dispatched', 2, undefined],
        ['ended', 2, undefined],
        ['callback delivered', undefined, 1],
      ],
    );
    const known = { request_id: 'request-7', trace_id: TRACE_ID, user_id: 'ruth', queue: 'ruth' };
    for (const one of story(id)) t.like(one, known);

    t.deepEqual(
      worker.calls.map((call) => ({
        traceparent: call.headers['traceparent'],
        tracestate: call.headers['tracestate'],
      })),
      [TRACE, TRACE],
    );
    t.like(endpoint.calls[0]?.headers, TRACE);
  });

  test(`${kind}: a call that is cut off by a stop is told, and by which broker its message goes on`, async (t) => {
    const { worker, client, settings, stop, story, ended, log } = await aSystemWithLog(t, kind);
    const id = await running(client, 'ruth');
    await stop();
    worker.hurry();
    await aBroker(t, settings, true, log);
    await ended(id);
    t.deepEqual(words(story(id)), ['accepted', 'dispatched', 'handed over', 'claimed again', 'dispatched', 'ended']);
    const brokers = story(id).map(({ broker_id }) => broker_id);
    t.is(new Set(brokers.slice(0, 3)).size, 1);
    t.is(new Set(brokers.slice(3)).size, 1);
    t.is(new Set(brokers).size, 2);
  });

  test(`${kind}: what is no trace context is not handed on`, async (t) => {
    const { worker, lines, client } = await aSystemWithLog(t, kind);
    const wrong = [
      '',
      'x',
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      `ff-${TRACE_ID}-00f067aa0ba902b7-01`,
      `${TRACE.traceparent}-more`,
      `${TRACE.traceparent}-`,
      `cc-${TRACE_ID}-00f067aa0ba902b7-01more`,
    ];
    for (const traceparent of wrong) {
      const { body } = await client.post(aBody('ruth', 'hello'), { traceparent, tracestate: 'a=b' });
      t.like(theEnd(await client.all('ruth', String(body['message_id']))), { event: 'done' });
    }
    t.is(worker.calls.length, wrong.length);
    for (const { headers } of worker.calls) t.false('traceparent' in headers || 'tracestate' in headers);
    t.false(lines.some((one) => 'trace_id' in one));
    // What a later version may add is not known yet, and handed on.
    const later = `cc-${TRACE_ID}-00f067aa0ba902b7-01-more`;
    const { body } = await client.post(aBody('ruth', 'hello'), { traceparent: later });
    await client.all('ruth', String(body['message_id']));
    t.is(worker.calls.at(-1)?.headers['traceparent'], later);
  });

  test(`${kind}: of a message that ends while it waits it is told how, and by whom`, async (t) => {
    const { client, story } = await aSystemWithLog(t, kind);
    const held = await running(client, 'ruth');
    const [one, two, three] = [
      await client.send('ruth', 'one'),
      await client.send('ruth', 'two'),
      await client.send('ruth', 'three'),
    ];
    await client.request('DELETE', messagePath('ruth', one), asked('delete-one'));
    await client.request('DELETE', '/api/v1/queue/ruth', asked('delete-all'));
    const four = await client.send('ruth', 'four');
    const interrupting = aBody('ruth', 'five', { if_busy: 'interrupt' });
    const { body } = await client.post(interrupting, { 'x-request-id': 'interrupt' });
    const ends = [
      [one, 'delete-one'],
      [two, 'delete-all'],
      [three, 'delete-all'],
      [four, 'interrupt'],
    ] as const;
    for (const [id, by] of ends) {
      t.deepEqual(words(story(id)), ['accepted', 'ended']);
      const status = { status: 'cancelled', code: 'cancelled' };
      t.like(story(id)[1], { request_id: by, user_id: 'ruth', queue: 'ruth', attempt: 0, ...status });
    }
    t.like(theEnd(await client.all('ruth', String(body['message_id']))), { event: 'done' });
    t.deepEqual(words(story(held)), ['accepted', 'dispatched', 'cancelling', 'ended']);
    t.like(story(held)[2], { request_id: 'interrupt', user_id: 'ruth', attempt: 1 });
    t.like(story(held)[3], { status: 'cancelled', attempt: 1 });
  });

  test(`${kind}: of a message that waits for too long it is told that it expired`, async (t) => {
    const { client, story, ended } = await aSystemWithLog(t, kind, { MESSAGE_TTL_SECONDS: '1' });
    const isRun = async (id: string) => (await client.get(messagePath('ruth', id))).body['status'] === 'processing';
    // On a busy machine this one may expire, too; then the next one is tried.
    while (!(await isRun(await running(client, 'ruth'))));
    const { body } = await client.post(aBody('ruth', 'too late'), { 'x-request-id': 'request-7', ...TRACE });
    const id = String(body['message_id']);
    await ended(id);
    t.deepEqual(words(story(id)), ['accepted', 'ended']);
    const known = { request_id: 'request-7', trace_id: TRACE_ID, user_id: 'ruth', queue: 'ruth' };
    t.like(story(id)[1], { ...known, status: 'expired' });
  });

  test(`${kind}: in a group the user is who spoke, and the queue the group's`, async (t) => {
    const { client, endpoint, worker, line, lines } = await aSystemWithLog(t, kind);
    const held = await running(client, 'naomi', 'group:o:G1', GROUP);
    const callback = { ...GROUP, callback_url: endpoint.url };
    const { body } = await client.post(aBody('boaz', '[[status=500]] no', callback));
    const id = String(body['message_id']);
    worker.hurry();
    const path = messagePath('group:o:G1', id);
    t.like(theEnd(await client.all('group:o:G1', id)), { status: 'failed' });
    await line(({ msg }) => msg === 'callback delivered');
    t.is((await client.request('POST', `${path}/retry`)).status, 202);
    t.like(theEnd(await client.all('group:o:G1', id)), { status: 'failed' });
    const discard = `/api/v1/dead-letters/${id}?user_id=group:o:G1`;
    t.is((await client.request('DELETE', discard)).status, 200);
    const said = lines.filter(({ message_id }) => message_id !== undefined);
    t.deepEqual(
      new Set(said.filter(({ message_id }) => message_id === id).map(({ msg }) => msg)),
      new Set(['accepted', 'dispatched', 'ended', 'callback delivered', 'requeued', 'discarded']),
    );
    for (const { message_id, user_id, queue } of said) {
      t.deepEqual([user_id, queue], [message_id === held ? 'naomi' : 'boaz', 'group:o:G1']);
    }
  });

  test(`${kind}: what an operator does to a message is told with the request that did it`, async (t) => {
    const { client, endpoint, line, story, ended } = await aSystemWithLog(t, kind);
    const held = await running(client, 'ruth');
    await client.request('DELETE', messagePath('ruth', held), asked('cancel'));
    await ended(held);
    t.deepEqual(words(story(held)), ['accepted', 'dispatched', 'cancelling', 'ended']);
    t.like(story(held)[2], { request_id: 'cancel', user_id: 'ruth', queue: 'ruth', attempt: 1 });

    endpoint.respond = () => ({ status: 410 });
    const failed = await client.send('ruth', '[[status=500]] no', { callback_url: endpoint.url });
    const undelivered = await line(({ msg }) => msg === 'callback undelivered');
    t.like(undelivered, { message_id: failed, callback_attempt: 1, reason: 'the endpoint answered 410' });
    const path = messagePath('ruth', failed);
    t.is((await client.request('POST', `${path}/retry?only=callback`, asked('redeliver'))).status, 202);
    await endpoint.until(() => endpoint.calls.length === 2);
    t.is((await client.request('POST', `${path}/retry`, asked('retry'))).status, 202);
    t.like(theEnd(await client.all('ruth', failed)), { status: 'failed' });
    const discard = `/api/v1/dead-letters/${failed}?user_id=ruth`;
    t.is((await client.request('DELETE', discard, asked('discard'))).status, 200);
    const done = story(failed).filter(({ msg }) => /^(redelivering|requeued|discarded)$/.test(String(msg)));
    t.deepEqual(
      done.map(({ msg, request_id, user_id, queue }) => [msg, request_id, user_id, queue]),
      [
        ['redelivering', 'redeliver', 'ruth', 'ruth'],
        ['requeued', 'retry', 'ruth', 'ruth'],
        ['discarded', 'discard', 'ruth', 'ruth'],
      ],
    );
  });
}

test('at INFO a message has three lines, at WARNING one that goes well has none', async (t) => {
  for (const [level, expected] of [
    ['info', ['accepted', 'dispatched', 'ended']],
    ['warn', []],
  ] as const) {
    const { client, story } = await aSystemWithLog(t, 'embedded', { level });
    const id = await client.send('ruth', 'hello');
    t.like(theEnd(await client.all('ruth', id)), { event: 'done' });
    t.deepEqual(words(story(id)), expected);
  }
});

test('the X-Request-Id of a refused request names a line that says what was refused, and why', async (t) => {
  const env = { BROKER_API_KEY: 'key', MAX_QUEUE_LENGTH: '1', MAX_WAITING_MESSAGES: '2' };
  const { url, line, lines } = await aSystemWithLog(t, 'embedded', env);
  const client = new Client(url, { 'x-api-key': 'key' });
  await running(client, 'ruth');
  await client.send('ruth', 'waits');
  const json = { 'content-type': 'application/json' };
  const message = (user: string) => ({ method: 'POST', headers: json, body: JSON.stringify(aBody(user, 'more')) });
  const keyless = { 'x-api-key': '' };
  const refusals: [string, { method?: string; headers?: Record<string, string>; body?: string }, Line][] = [
    ['/api/v1/message', message('ruth'), { level: 30, method: 'POST', status: 429, code: 'queue_full' }],
    ['/api/v1/chat', message('ruth'), { level: 30, method: 'POST', status: 429, code: 'queue_full' }],
    ['/api/v1/queue/ruth', { headers: keyless }, { level: 20, method: 'GET', status: 401, code: 'missing_key' }],
    [
      '/api/v1/chat',
      { method: 'POST', headers: keyless },
      { level: 20, method: 'POST', status: 401, code: 'missing_key' },
    ],
    ['/api/v1/nothing', {}, { level: 20, method: 'GET', status: 404, code: 'not_found' }],
  ];
  const check = async ([path, options, expected]: (typeof refusals)[number]) => {
    const { method = 'GET', ...rest } = options;
    const { headers } = await client.request(method, path, rest);
    const id = headers.get('x-request-id');
    t.truthy(id);
    t.like(await line(({ request_id }) => request_id === id), { ...expected, path, msg: 'a request was refused' });
    t.is(lines.filter(({ request_id }) => request_id === id).length, 1);
  };
  for (const refusal of refusals) await check(refusal);
  await running(client, 'boaz');
  await client.send('boaz', 'waits');
  await check(['/api/v1/message', message('naomi'), { level: 40, status: 503, code: 'store_full' }]);
  await check(['/api/v1/chat/stream', message('naomi'), { level: 40, status: 503, code: 'store_full' }]);

  const answer = await said(url, 'NONSENSE\r\n\r\n');
  const id = /X-Request-Id: (\S+)/.exec(answer)?.[1];
  t.like(await line(({ request_id }) => request_id === id), { level: 20, status: 400, code: 'malformed_request' });
});

/** What is answered to something that need not be HTTP. */
async function said(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8');
  let answer = '';
  socket.on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'end');
  return answer;
}

const KEY = 'hush-broker-key';

for (const kind of STORES) {
  // All that must not be told says "hush".
  test(`${kind}: no message, reply, error, audio, key or secret of a callback is told`, async (t) => {
    const worker = await aScriptedWorker(t);
    const endpoint = await anEndpoint(t);
    const store = await aStore(t, kind);
    const nobody = `127.0.0.1:${await freePort()}`;
    const { log, lines, line } = aLog();
    const env = {
      ...store,
      WORKER_BASE_URL: worker.url,
      WORKER_API_KEY: 'hush-worker-key',
      BROKER_API_KEY: KEY,
      CALLBACK_SECRET: `whsec_${Buffer.from('hush, a secret of thirty-two bytes').toString('base64')}`,
      CALLBACK_ALLOW_HOSTS: `${endpoint.host},${nobody}`,
      MAX_QUEUE_LENGTH: '1',
    };
    const { url } = await aBroker(t, env, true, log);
    const client = new Client(url, { 'x-api-key': KEY });
    const told = (id: string, word: string) => line(({ message_id, msg }) => message_id === id && msg === word);
    let calls = 0;
    const answer = async (...events: readonly object[]) => {
      calls += 1;
      const call = await worker.call(calls);
      call.say({ type: 'progress', text: 'hush, a reply' }, ...events);
      call.end();
    };
    const complete = { ...COMPLETE, response: { ...COMPLETE.response, responses: ['hush, a reply'] } };
    const secretly = { speaker: 'hush', client_message_id: 'hush', response_language_hint: 'hush' };

    // Ends of every kind, with callbacks that fail in every way.
    endpoint.respond = ({ body }) => ({
      status: body['status'] === 'error' ? 410 : 503,
      headers: { 'x-hush': 'hush' },
    });
    const callback = { ...secretly, callback_url: `${endpoint.url}/hush?signature=hush` };
    const done = await client.send('ruth', 'hush, a message', callback);
    await answer(complete);
    await told(done, 'a callback failed');
    const audio = { message_type: 'audio', audio_base64: btoa('hush, a recording'), audio_format: 'ogg' };
    const failed = await client.send('boaz', '', { ...callback, ...audio });
    await answer({ type: 'error', error: 'hush, an error' });
    t.like(theEnd(await client.all('boaz', failed)), { error: 'hush, an error' });
    await told(failed, 'callback undelivered');
    const broken = await client.send('naomi', 'hush', { callback_url: `http://${nobody}/hush?signature=hush` });
    await answer();
    await told(broken, 'a callback failed');
    await client.request('DELETE', `/api/v1/dead-letters/${failed}?user_id=boaz`);

    // With this one goes the key that the client called with.
    endpoint.respond = () => ({ status: 500 });
    const chat = { ...aBody('orpah', 'hush, a message'), ...secretly, message_type: 'text' };
    const post = (path: string, body: string, headers: Record<string, string> = {}) =>
      client.request('POST', path, { headers: { 'content-type': 'application/json', ...headers }, body });
    const accepted = await post(
      '/api/v1/chat/callback',
      JSON.stringify({ ...chat, message_key: 'hush', progress_callback_url: `${endpoint.url}/hush?signature=hush` }),
      { 'idempotency-key': 'hush' },
    );
    t.is(accepted.status, 202);
    await answer(complete);
    await told(String(accepted.body['message_id']), 'a callback failed');
    t.is(endpoint.calls.at(-1)?.headers['x-engine-token'], KEY);

    // Ended while they waited, and refused.
    const held = await client.send('esau', 'hush, a message');
    const call = await worker.call(calls + 1);
    const waiting = await client.send('esau', 'hush, a message', callback);
    for (const path of ['/api/v1/message', '/api/v1/chat', '/api/v1/chat/stream']) {
      t.is((await post(path, JSON.stringify(aBody('esau', 'hush, a message')))).status, 429);
      t.is((await post(path, '{"message":"hush')).status, 400);
      t.true((await post(path, JSON.stringify({ ...aBody('esau', 'hush'), user_id: ['hush'] }))).status >= 400);
      const wrong = { 'x-api-key': 'hush-wrong-key' };
      t.is((await post(path, JSON.stringify(aBody('esau', 'hush')), wrong)).status, 403);
    }
    const query = `user_id=esau&message_id=${held}&token=hush`;
    t.is((await new Client(url).get(`/api/v1/stream?${query}`)).status, 401);
    t.regex(await said(url, 'HUSH hush\r\nhush\r\n\r\n'), / 400 /);
    await client.request('DELETE', '/api/v1/queue/esau');
    await told(waiting, 'ended');
    call.say(complete);
    call.end();
    await told(held, 'ended');

    const faults = kind === 'redis' ? await brokenRedis(store['REDIS_URL'] ?? '', client, done) : [];
    for (const fault of faults) t.is(fault, 500);
    t.is(lines.filter(({ msg }) => msg === 'a request failed').length, faults.length);
    for (const id of [done, failed, broken, held, waiting]) t.true(lines.some(({ message_id }) => message_id === id));
    for (const secret of [/hush/i, /aHVzaC/, /whsec_/, /sha256/]) t.notRegex(JSON.stringify(lines), secret);
  });
}

/** Faults of the store with something in hand that must not be told: what Redis refuses, and an answer of no known shape. */
async function brokenRedis(url: string, client: Client, id: string): Promise<number[]> {
  const raw = new Redis(url);
  const answers: number[] = [];
  await raw.hset(`${baseOf(shardOf('ruth'))}m:${id}`, 'status', 'hush, a status');
  answers.push((await client.get(messagePath('ruth', id))).status);
  await raw.del(`${baseOf(shardOf('ruth'))}due`);
  await raw.set(`${baseOf(shardOf('ruth'))}due`, 'hush, no index');
  answers.push((await client.post(aBody('ruth', 'hush, a message'))).status);
  raw.disconnect();
  return answers;
}
