import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Webhook } from 'standardwebhooks';
import { aBroker, aSystem, STORES } from '../helpers/broker.ts';
import { aBody, type Client, theEnd } from '../helpers/client.ts';
import { anEndpoint as anyEndpoint, type Call, type Reply } from '../helpers/endpoint.ts';
import { mustBeDocumentedCallback } from '../helpers/openapi.ts';

const SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes ...').toString('base64')}`;

// For so many seconds, in which more come: `AWAY=60 npm test -- test/broker/callbacks.test.ts`.
const AWAY_SECONDS = Number(process.env['AWAY'] ?? 0);

const messagePath = (user: string, id: string) => `/api/v1/queue/${user}/messages/${id}`;
const callbackOf = async (client: Client, user: string, id: string) =>
  (await client.get(messagePath(user, id))).body['callback'];

/** Asks until a message's callback stands so. */
async function until(client: Client, user: string, id: string, status: string): Promise<void> {
  for (;;) {
    const callback = await callbackOf(client, user, id);
    if (typeof callback === 'object' && callback && 'status' in callback && callback.status === status) return;
  }
}

/** One to which nothing is posted but what openapi.json has. */
async function anEndpoint(t: ExecutionContext, respond?: (call: Call) => Reply) {
  const endpoint = await anyEndpoint(t, respond);
  t.teardown(() => {
    for (const call of endpoint.calls) mustBeDocumentedCallback('MessageEnded', call);
  });
  return endpoint;
}

for (const kind of STORES) {
  test(`${kind}: the end of a message is posted to its callback URL, signed`, async (t) => {
    const endpoint = await anEndpoint(t);
    const env = { CALLBACK_ALLOW_HOSTS: endpoint.host, CALLBACK_SECRET: SECRET };
    const { client } = await aSystem(t, kind, { env });
    const fields = { callback_url: endpoint.url, client_message_id: 'm-1' };
    const id = await client.send('u', '[[text="In the beginning"]]', fields);
    await until(client, 'u', id, 'delivered');
    const failing = await client.send('u', '[[status=500]]', { callback_url: endpoint.url });
    await until(client, 'u', failing, 'delivered');
    t.deepEqual(
      endpoint.calls.map(({ body }) => body),
      [
        {
          message_id: id,
          user_id: 'u',
          client_message_id: 'm-1',
          status: 'completed',
          responses: ['In the beginning'],
          response_language: 'en',
          voice_audio_base64: null,
          voice_audio_url: null,
          attachments: [],
        },
        {
          message_id: failing,
          user_id: 'u',
          client_message_id: null,
          status: 'error',
          code: 'worker_error',
          error: endpoint.calls[1]?.body['error'],
        },
      ],
    );
    t.regex(String(endpoint.calls[1]?.body['error']), /500/);
    for (const { text, headers } of endpoint.calls) {
      t.deepEqual(new Webhook(SECRET).verify(text, headers as Record<string, string>), JSON.parse(text));
    }
    t.like((await client.get('/health')).body, { callbacks_waiting: 0 });
  });

  test(`${kind}: an endpoint that is away gets everything later, in order, once each, and delays no queue`, async (t) => {
    t.timeout(AWAY_SECONDS * 1000 + 60_000);
    const endpoint = await anEndpoint(t);
    const { client } = await aSystem(t, kind, { env: { CALLBACK_ALLOW_HOSTS: endpoint.host } });
    await endpoint.stop();
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.push(await client.send('u', `hello ${n}`, { callback_url: endpoint.url }));
    const backAt = performance.now() + AWAY_SECONDS * 1000;
    while (performance.now() < backAt) {
      await delay(1000);
      ids.push(await client.send('u', 'hello again', { callback_url: endpoint.url }));
    }
    for (const id of ids) t.like(theEnd(await client.all('u', id)), { event: 'done' });
    t.like((await client.get('/health')).body, { callbacks_waiting: ids.length });
    await endpoint.start();
    await endpoint.until(() => endpoint.calls.length === ids.length);
    t.deepEqual(
      endpoint.calls.map(({ body }) => body['message_id']),
      ids,
    );
    t.is(new Set(endpoint.calls.map(({ headers }) => headers['webhook-id'])).size, ids.length);
  });

  test(`${kind}: what is tried again has the same webhook-id, heeds Retry-After, and other users do not wait`, async (t) => {
    const tries: number[] = [];
    let quickIsThrough = false;
    const endpoint = await anEndpoint(t, ({ body }) => {
      if (body['user_id'] !== 'slow') return { status: 200 };
      tries.push(performance.now());
      return quickIsThrough ? { status: 200 } : { status: 503, headers: { 'retry-after': '2' } };
    });
    const { client } = await aSystem(t, kind, { env: { CALLBACK_ALLOW_HOSTS: endpoint.host } });
    const slow = await client.send('slow', 'hello', { callback_url: endpoint.url });
    await endpoint.until(() => endpoint.calls.length === 1);
    const quick = await client.send('quick', 'hello', { callback_url: endpoint.url });
    await until(client, 'quick', quick, 'delivered');
    t.like(await callbackOf(client, 'slow', slow), { status: 'pending', error: 'the endpoint answered 503' });
    quickIsThrough = true;
    await until(client, 'slow', slow, 'delivered');
    const calls = endpoint.calls.filter(({ body }) => body['user_id'] === 'slow');
    t.is(new Set(calls.map(({ headers }) => headers['webhook-id'])).size, 1);
    t.is(new Set(calls.map(({ text }) => text)).size, 1);
    t.like(await callbackOf(client, 'slow', slow), { attempts: calls.length });
    const [first = 0, second = 0] = tries;
    t.true(second - first >= 2000, 'not before Retry-After');
  });

  test(`${kind}: what an endpoint wants no more (410) is a dead letter, and can be sent again`, async (t) => {
    const endpoint = await anEndpoint(t, () => ({ status: 410 }));
    const { client } = await aSystem(t, kind, { env: { CALLBACK_ALLOW_HOSTS: endpoint.host } });
    const id = await client.send('u', 'hello', { callback_url: endpoint.url });
    await until(client, 'u', id, 'undelivered');
    t.is(endpoint.calls.length, 1);
    t.like((await client.get('/api/v1/dead-letters')).body['dead_letters'], [
      {
        kind: 'callback',
        message_id: id,
        attempts: 1,
        code: 'callback_undelivered',
        error: 'the endpoint answered 410',
      },
    ]);
    t.like(await client.get(messagePath('u', id)), { body: { status: 'completed', result: { responses: ['hello'] } } });
    endpoint.respond = () => ({ status: 200 });
    const again = await client.request('POST', `${messagePath('u', id)}/retry`);
    t.like(again, { status: 202, body: { status: 'redelivering' } });
    await until(client, 'u', id, 'delivered');
    t.deepEqual((await client.get('/api/v1/dead-letters')).body['dead_letters'], []);
  });

  test(`${kind}: a callback that is tried for too long is given up`, async (t) => {
    const endpoint = await anEndpoint(t, () => ({ status: 500 }));
    const { client } = await aSystem(t, kind, {
      env: { CALLBACK_ALLOW_HOSTS: endpoint.host, CALLBACK_RETRY_SECONDS: '2' },
    });
    const id = await client.send('u', 'hello', { callback_url: endpoint.url });
    await until(client, 'u', id, 'undelivered');
    t.true(endpoint.calls.length > 1);
    t.like(await callbackOf(client, 'u', id), { error: 'the endpoint answered 500' });
  });

  test(`${kind}: callbacks outlive their broker`, async (t) => {
    const endpoint = await anEndpoint(t);
    const { client, env, stop } = await aSystem(t, kind, { env: { CALLBACK_ALLOW_HOSTS: endpoint.host } });
    await endpoint.stop();
    const id = await client.send('u', 'hello', { callback_url: endpoint.url });
    await client.all('u', id);
    await stop();
    await endpoint.start();
    const next = await aBroker(t, env);
    await until(next.client, 'u', id, 'delivered');
    t.is(endpoint.calls.length, 1);
  });

  test(`${kind}: a redirect is not followed`, async (t) => {
    const hidden = await anEndpoint(t);
    const endpoint = await anEndpoint(t, () => ({ status: 307, headers: { location: hidden.url } }));
    const { client } = await aSystem(t, kind, {
      env: { CALLBACK_ALLOW_HOSTS: endpoint.host, CALLBACK_RETRY_SECONDS: '1' },
    });
    const id = await client.send('u', 'hello', { callback_url: endpoint.url });
    await until(client, 'u', id, 'undelivered');
    t.like(await callbackOf(client, 'u', id), { error: 'the endpoint answered 307' });
    t.deepEqual(hidden.calls, []);
  });

  test(`${kind}: a callback URL that can never be is refused, and nothing is accepted`, async (t) => {
    const { client } = await aSystem(t, kind);
    for (const callback_url of [
      'nothing',
      'http://gateway.example/',
      'https://10.0.0.1/',
      'https://u:p@gateway.example/',
    ]) {
      const answer = await client.post(aBody('u', 'hello', { callback_url }));
      t.like(
        answer,
        { status: 422, body: { code: 'invalid_fields', errors: [{ path: 'callback_url' }] } },
        callback_url,
      );
    }
    t.like((await client.get('/api/v1/queue/u')).body, { queue_length: 0, is_processing: false });
  });
}
