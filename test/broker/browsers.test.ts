import test from 'ava';
import { EventSource } from 'eventsource';
import { aBroker, aStore, aWorker } from '../helpers/broker.ts';
import { aBody, Client } from '../helpers/client.ts';
import { fetchDocumented } from '../helpers/openapi.ts';

const KEY = { 'x-api-key': 'newest' };
const PAGE = 'https://app.example';

async function aPlace(t: Parameters<typeof aWorker>[0]) {
  const worker = await aWorker(t);
  return { ...(await aStore(t, 'embedded')), WORKER_BASE_URL: worker.url };
}

test("an EventSource, which can send no header, reads a message's events with the token of its stream_url", async (t) => {
  const { url } = await aBroker(t, { ...(await aPlace(t)), BROKER_API_KEY: 'newest,older' });
  const posted = await new Client(url, KEY).post(aBody('a b+c&ä', 'hello'));
  const source = new EventSource(new URL(String(posted.body['stream_url']), url));
  t.teardown(() => source.close());
  const done = await new Promise<MessageEvent>((resolve) => source.addEventListener('done', resolve));
  t.like(JSON.parse(done.data), { message_id: posted.body['message_id'], status: 'completed' });
});

test('a token opens this one stream and nothing else, and outlives the rotation of keys', async (t) => {
  const place = await aPlace(t);
  const before = await aBroker(t, { ...place, BROKER_API_KEY: 'older' });
  const client = new Client(before.url, { 'x-api-key': 'older' });
  const urlOf = async (user: string) => String((await client.post(aBody(user, 'hello'))).body['stream_url']);
  const [one, other] = [await urlOf('u'), await urlOf('v')];
  const token = new URL(one, before.url).searchParams.get('token') ?? '';
  t.regex(token, /^[\w-]{43}$/);
  await before.stop();

  const { url } = await aBroker(t, { ...place, BROKER_API_KEY: 'newest,older' });
  const answer = async (path: string) => {
    const response = await fetchDocumented(`${url}${path}`);
    const said = await response.text();
    return response.ok ? response.status : [response.status, JSON.parse(said).code];
  };
  const invalid = [401, 'invalid_token'];
  const missing = [401, 'missing_key'];
  t.is(await answer(one), 200);
  t.deepEqual(await answer(one.replace(`&token=${token}`, '')), missing);
  t.deepEqual(await answer(one.replace(token, '')), invalid);
  t.deepEqual(await answer(one.replace(token, `${token.slice(0, -2)}AA`)), invalid);
  t.deepEqual(await answer(other.replace(/token=.*/, `token=${token}`)), invalid);
  t.deepEqual(await answer(`${one}&user_id=v`), invalid);
  t.deepEqual(await answer(`/api/v1/queue/u?token=${token}`), missing);
  t.deepEqual(await answer(`/api/v1/dead-letters?token=${token}`), missing);
  const rotated = await aBroker(t, { ...(await aPlace(t)), BROKER_API_KEY: 'newest' });
  t.is((await fetchDocumented(`${rotated.url}${one}`)).status, 401, 'of a key that is no more');
});

test('without keys there are no tokens', async (t) => {
  const { client } = await aBroker(t, await aPlace(t));
  t.false(String((await client.post(aBody('u', 'hello'))).body['stream_url']).includes('token'));
});

test('pages of the origins that are allowed may read, and no others', async (t) => {
  const { url } = await aBroker(t, {
    ...(await aPlace(t)),
    BROKER_API_KEY: 'newest',
    CORS_ORIGINS: `${PAGE}, https://b.example`,
  });
  const allowed = async (origin: string, init: RequestInit = {}) => {
    const response = await fetchDocumented(`${url}/api/v1/queue/u`, {
      ...init,
      headers: { ...KEY, ...init.headers, origin },
    });
    await response.text();
    return response.headers.get('access-control-allow-origin');
  };
  t.is(await allowed(PAGE), PAGE);
  t.is(await allowed('https://b.example'), 'https://b.example');
  t.is(await allowed('https://evil.example'), null);
  t.is(await allowed('https://app.example.evil.example'), null);
  const preflight = await fetchDocumented(`${url}/api/v1/message`, {
    method: 'OPTIONS',
    headers: {
      origin: PAGE,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,x-api-key,last-event-id',
    },
  });
  t.is(preflight.status, 204);
  t.is(preflight.headers.get('access-control-allow-origin'), PAGE);
  t.regex(preflight.headers.get('access-control-allow-headers') ?? '', /x-api-key/);
  t.regex(preflight.headers.get('access-control-allow-methods') ?? '', /DELETE/);
  const refused = await fetchDocumented(`${url}/api/v1/queue/u`, { headers: { origin: PAGE } });
  t.is(refused.status, 401);
  t.is(refused.headers.get('access-control-allow-origin'), PAGE, 'a page can read why it was refused');
  const stream = await fetchDocumented(`${url}/api/v1/message`, {
    method: 'POST',
    headers: { ...KEY, origin: PAGE, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify(aBody('u', 'hello')),
  });
  t.is(stream.headers.get('access-control-allow-origin'), PAGE);
  await stream.text();
});

test('no page may by default', async (t) => {
  const { url } = await aBroker(t, await aPlace(t));
  const response = await fetchDocumented(`${url}/api/v1/queue/u`, { headers: { origin: PAGE } });
  t.is(response.headers.get('access-control-allow-origin'), null);
});
