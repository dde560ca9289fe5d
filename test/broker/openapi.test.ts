import Router from '@koa/router';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import test, { type ExecutionContext } from 'ava';
import { request } from 'undici';
import { aBroker, aStore } from '../helpers/broker.ts';
import { Client } from '../helpers/client.ts';
import { type Answered, type Asked, mustBeDocumented, mustBeDocumentedEvent } from '../helpers/openapi.ts';

const KEY = { 'x-api-key': 'newest' };
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** What goes straight through to the engine. */
const PASSED = ['/api/v1/orgs', '/api/v1/audio', '/api/v1/voice-submissions', '/api/v1/admin', '/public'];

async function aPlace(t: ExecutionContext) {
  return { ...(await aStore(t, 'embedded')), BROKER_API_KEY: 'newest' };
}

/** All operations of a document, as `GET /path`. */
function operationsOf(openApi: Record<string, unknown>): string[] {
  return Object.entries(openApi['paths'] ?? {}).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

test('openapi.json is valid OpenAPI 3.1, and lints clean', async (t) => {
  const { url } = await aBroker(t, await aPlace(t));
  const source = await (await fetch(`${url}/openapi.json`, { headers: KEY })).text();
  t.regex(source, /^\{"openapi":"3\.1\./);
  const config = await createConfig({ extends: ['recommended'] });
  const problems = await lintFromString({ source, absoluteRef: `${url}/openapi.json`, config });
  t.deepEqual(
    problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`),
    [],
  );
});

test('openapi.json is for holders of a key, and is sent again only when it has changed', async (t) => {
  const { url, client: nobody } = await aBroker(t, await aPlace(t));
  t.is((await nobody.get('/openapi.json')).status, 401);
  t.is((await new Client(url, { 'x-api-key': 'wrong' }).get('/openapi.json')).status, 403);
  const client = new Client(url, KEY);
  const first = await client.get('/openapi.json');
  t.is(first.status, 200);
  t.is(first.headers.get('content-type'), 'application/json; charset=utf-8');
  const etag = first.headers.get('etag') ?? '';
  // `fetch` would ask for no copy to be used.
  const again = await request(`${url}/openapi.json`, { headers: { ...KEY, 'if-none-match': etag } });
  t.is(again.statusCode, 304);
  t.is(await again.body.text(), '');
  t.like(await client.request('PUT', '/openapi.json'), { status: 405, body: { code: 'method_not_allowed' } });
});

test.serial('every route is in openapi.json, and every operation there has its route', async (t) => {
  const routers: Router[] = [];
  const { routes } = Router.prototype;
  t.teardown(() => {
    Router.prototype.routes = routes;
  });
  Router.prototype.routes = function recorded(this: Router) {
    routers.push(this);
    return routes.call(this);
  };
  const { url } = await aBroker(t, await aPlace(t));
  const documented = operationsOf((await new Client(url, KEY).get('/openapi.json')).body);
  const layers = routers.flatMap((router) => router.stack);
  const isPassed = (operation: string) => operation.endsWith('/{path}');

  const named = layers.flatMap(({ path, methods }) => {
    if (typeof path !== 'string') return [];
    const template = path.replaceAll(/:(\w+)/g, '{$1}');
    return methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${template}`);
  });
  const served = documented.filter((operation) => !isPassed(operation));
  t.deepEqual(served.toSorted(), named.toSorted());

  const paths = PASSED.map((prefix) => `${prefix}/{path}`);
  const expected = paths.flatMap((path) => METHODS.map((method) => `${method} ${path}`));
  t.deepEqual(documented.filter(isPassed).toSorted(), expected.toSorted());
  const patterns = layers.flatMap(({ path }) => (path instanceof RegExp && !path.test('/api/v1/chat') ? [path] : []));
  for (const path of paths)
    t.true(
      patterns.some((pattern) => pattern.test(path)),
      path,
    );
  for (const pattern of patterns)
    t.true(
      paths.some((path) => pattern.test(path)),
      String(pattern),
    );
});

const ASKED = { method: 'GET', path: '/api/v1/queue/u' };
const CLEARED = JSON.stringify({ user_id: 'u', cancelled: 2 });
const PROBLEM = { type: 'about:blank', title: 'Not Found', status: 404, code: 'not_found', detail: 'No.' };

test('an answer that is not as openapi.json has it is told of precisely', (t) => {
  const clear = { ...ASKED, method: 'DELETE' };
  const told = (asked: Asked, answered: Answered) =>
    t.throws(() => mustBeDocumented(asked, answered))?.message.split('\n')[0] ?? '';
  const json = { status: 200, type: 'application/json; charset=utf-8' };
  const problem = { type: 'application/problem+json', body: JSON.stringify(PROBLEM) };
  t.notThrows(() => mustBeDocumented(clear, { ...json, body: CLEARED }));
  t.notThrows(() => mustBeDocumented({ method: 'GET', path: '/nothing' }, { status: 404, ...problem }));
  t.regex(told(clear, { ...json, status: 418 }), /^DELETE \/api\/v1\/queue\/u answered 418 .* has only 200, 400, /);
  t.regex(told(clear, { ...json, type: 'text/html' }), /has only application\/json$/);
  t.regex(told(clear, { ...json, body: '{"user_id":"u"}' }), /must have required property 'cancelled'/);
  t.regex(told(clear, { ...json, body: '{"user_id":"u","cancelled":-1}' }), /cancelled must be >= 0/);
  t.regex(
    told(clear, { ...json, body: '{"user_id":"u","cancelled":1,"more":1}' }),
    /must NOT have additional properties/,
  );
  t.regex(told(clear, { status: 401, ...problem }), /status must be equal to constant/);
  t.regex(told({ method: 'GET', path: '/nothing' }, json), /knows no such operation/);
  t.regex(told({ method: 'GET', path: '/docs' }, { status: 304, type: '', body: 'x' }), /has none/);
});

test('an event that is not as openapi.json has it is told of precisely', (t) => {
  const stream = { method: 'GET', path: '/api/v1/stream?user_id=u&message_id=m' };
  const told = (event: string | undefined, data: string) =>
    t.throws(() => mustBeDocumentedEvent(stream, { event, data }))?.message ?? '';
  t.notThrows(() => mustBeDocumentedEvent(stream, { event: 'processing', data: '{"message_id":"m","attempt":1}' }));
  t.notThrows(() => mustBeDocumentedEvent(stream, { event: undefined, data: 'what the engine said' }));
  t.regex(told('processing', '{"message_id":"m"}'), /required property 'attempt'/);
  t.regex(told('surprise', '{}'), /streamed "surprise": openapi.json knows no such event/);
});
