import Router from '@koa/router';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import test, { type ExecutionContext } from 'ava';
import { request } from 'undici';
import { aBroker, aStore } from '../helpers/broker.ts';
import { Client } from '../helpers/client.ts';
import {
  type Answered,
  type Asked,
  mustBeDocumented,
  mustBeDocumentedCallback,
  mustBeDocumentedEvent,
} from '../helpers/openapi.ts';

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
    problems.map(({ ruleId, location }) => `${ruleId}: ${location[0]?.pointer}`),
    // It only leads to the dashboard.
    ['operation-2xx-response: #/paths/~1/get/responses'],
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
  const isPassed = (operation: string) => PASSED.some((prefix) => operation.includes(prefix));

  const named = layers.flatMap(({ path, methods }) => {
    if (typeof path !== 'string') return [];
    const template = path.replaceAll(/:(\w+)/g, '{$1}');
    return methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${template}`);
  });
  const served = documented.filter((operation) => !isPassed(operation));
  t.deepEqual(served.toSorted(), named.toSorted());

  const paths = PASSED.flatMap((prefix) => [prefix, `${prefix}/{path}`]);
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

const CLEAR = { method: 'DELETE', path: '/api/v1/queue/u' };
const CLEARED = JSON.stringify({ user_id: 'u', cancelled: 2 });
const NOTHING = { method: 'GET', path: '/nothing' };

/** What makes it no documented answer, in a line. */
function toldOf(
  t: ExecutionContext,
  asked: Asked,
  status: number,
  headers: Answered['headers'],
  body: string = '',
): string {
  return t.throws(() => mustBeDocumented(asked, { status, headers, body }))?.message.split('\n')[0] ?? '';
}

function problem(status: number, code: string): string {
  return JSON.stringify({ type: 'about:blank', title: 'No', status, code, detail: 'No.' });
}

test('an answer that is not as openapi.json has it is told of precisely', (t) => {
  const json = { 'x-request-id': '1', 'content-type': 'application/json; charset=utf-8' };
  const html = { 'x-request-id': '1', 'content-type': 'text/html' };
  const told = (status: number, headers: Answered['headers'], body: string) => toldOf(t, CLEAR, status, headers, body);
  t.notThrows(() => mustBeDocumented(CLEAR, { status: 200, headers: json, body: CLEARED }));
  t.regex(told(418, json, CLEARED), /^DELETE \/api\/v1\/queue\/u answered 418 .* has only 200, 400, /);
  t.regex(told(200, html, CLEARED), /has only application\/json$/);
  t.regex(told(200, json, '{"user_id":"u"}'), /must have required property 'cancelled'/);
  t.regex(told(200, json, '{"user_id":"u","cancelled":-1}'), /cancelled must be >= 0/);
  t.regex(told(200, json, '{"user_id":"u","cancelled":1,"more":1}'), /must NOT have additional properties/);
  const { 'x-request-id': _, ...unnamed } = json;
  t.regex(told(200, unnamed, CLEARED), /without X-Request-Id$/);
  t.regex(toldOf(t, { method: 'GET', path: '/docs' }, 304, { 'x-request-id': '1', etag: 'e' }, 'x'), /has none/);
});

test('a fault without a header that it must have is told of', (t) => {
  const type = { 'x-request-id': '1', 'content-type': 'application/problem+json' };
  const rows: readonly (readonly [Asked, number, string, string, string])[] = [
    [CLEAR, 401, 'missing_key', 'WWW-Authenticate', 'Bearer'],
    [CLEAR, 503, 'store_unavailable', 'Retry-After', '2'],
    [NOTHING, 405, 'method_not_allowed', 'Allow', 'POST'],
  ];
  for (const [asked, status, code, name, value] of rows) {
    const body = problem(status, code);
    t.notThrows(() => mustBeDocumented(asked, { status, headers: { ...type, [name.toLowerCase()]: value }, body }));
    t.true(toldOf(t, asked, status, type, body).endsWith(` without ${name}`), name);
  }
  const wrong = { ...type, 'retry-after': '-1' };
  t.regex(toldOf(t, CLEAR, 503, wrong, problem(503, 'store_unavailable')), /with Retry-After, which is not .* >= 0$/);
  t.regex(toldOf(t, CLEAR, 401, type, problem(404, 'not_found')), /without WWW-Authenticate/);
  t.regex(toldOf(t, NOTHING, 200, type), /openapi.json has only 400, /);
});

test('of the engine any answer is documented, also one whose status is that of a fault of the broker', (t) => {
  const headers = { 'x-request-id': '1', 'content-type': 'text/html' };
  for (const path of ['/api/v1/orgs', '/api/v1/orgs/o/users/u/history', '/public/logo.txt']) {
    for (const status of [200, 400, 401, 403, 404, 418, 500, 502]) {
      t.notThrows(() => mustBeDocumented({ method: 'GET', path }, { status, headers, body: '<p>No.</p>' }));
    }
  }
});

test('a callback with a header too few, or one too many, is told of', (t) => {
  const end = {
    message_id: 'm',
    user_id: 'u',
    client_message_id: null,
    status: 'error',
    code: 'cancelled',
    error: 'No.',
  };
  const text = JSON.stringify(end);
  const headers = { host: 'h', 'webhook-id': 'm', 'webhook-timestamp': '1' };
  t.notThrows(() => mustBeDocumentedCallback('MessageEnded', { headers: { ...headers, traceparent: '0' }, text }));
  const told = (given: Record<string, string>) =>
    t.throws(() => mustBeDocumentedCallback('MessageEnded', { headers: given, text }))?.message;
  t.regex(String(told({ host: 'h', 'webhook-id': 'm' })), /without webhook-timestamp$/);
  t.regex(String(told({ ...headers, 'x-more': '1' })), /with x-more, which openapi.json does not have$/);
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
