import { request } from 'node:http';
import test from 'ava';
import { aSystem, STORES } from '../helpers/broker.ts';
import { aBody, Client } from '../helpers/client.ts';

const KEY = 'first-key';
const JSON_TYPE = { 'content-type': 'application/json' };

type Row = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly status: number;
  readonly code: string;
  readonly detail: RegExp;
  readonly errors?: readonly string[];
};

const message = (more: Record<string, unknown> = {}) => JSON.stringify({ ...aBody('u', 'hello'), ...more });

const ROWS: Record<string, Row> = {
  'malformed JSON': { body: '{"user_id":', status: 400, code: 'malformed_json', detail: /not valid JSON/ },
  'no body': { body: '', status: 400, code: 'malformed_json', detail: /empty/ },
  null: { body: 'null', status: 422, code: 'invalid_fields', detail: /must be a JSON object/, errors: [''] },
  'a body that is not what its encoding says': {
    headers: { ...JSON_TYPE, 'content-encoding': 'gzip' },
    body: '{"user_id":"u"}',
    status: 400,
    code: 'malformed_encoding',
    detail: /Content-Encoding/,
  },
  'a content type that cannot be read': {
    headers: { 'content-type': 'application/json; charset' },
    body: '{"user_id":"u"}',
    status: 415,
    code: 'wrong_content_type',
    detail: /application\/json/,
  },
  'a JSON string': {
    body: '"hello"',
    status: 422,
    code: 'invalid_fields',
    detail: /must be a JSON object/,
    errors: [''],
  },
  'a JSON array': { body: '[]', status: 422, code: 'invalid_fields', detail: /JSON object/ },
  'no fields': {
    body: '{}',
    status: 422,
    code: 'invalid_fields',
    detail: /user_id is required/,
    errors: ['user_id', 'org_id', 'client_id', 'message'],
  },
  'empty fields': {
    body: message({ user_id: '', org_id: ' ', client_id: '', message: ' \n' }),
    status: 422,
    code: 'invalid_fields',
    detail: /must not be empty/,
    errors: ['user_id', 'org_id', 'client_id', 'message'],
  },
  'a blank message': {
    body: message({ message: ' \n' }),
    status: 422,
    code: 'invalid_fields',
    detail: /blank/,
    errors: ['message'],
  },
  'wrong types': {
    body: message({ user_id: 5, message: {}, addressed_to_bot: 'yes', message_type: 'video' }),
    status: 422,
    code: 'invalid_fields',
    detail: /must be a string/,
    errors: ['user_id', 'message', 'message_type', 'addressed_to_bot'],
  },
  'audio without audio': {
    body: message({ message_type: 'audio' }),
    status: 422,
    code: 'invalid_fields',
    detail: /required with message_type "audio"/,
    errors: ['audio_base64', 'audio_format'],
  },
  'audio that is not base64': {
    body: message({ message_type: 'audio', audio_base64: 'é!', audio_format: 'ogg' }),
    status: 422,
    code: 'invalid_fields',
    detail: /base64/,
    errors: ['audio_base64'],
  },
  'a lone surrogate in the text': {
    body: '{"user_id":"u","org_id":"o","client_id":"c","message":"\\ud800"}',
    status: 422,
    code: 'invalid_fields',
    detail: /lone surrogates/,
    errors: ['message'],
  },
  'a lone surrogate in an id': {
    body: '{"user_id":"\\udc00","org_id":"o","client_id":"c","message":"m"}',
    status: 422,
    code: 'invalid_fields',
    detail: /lone surrogates/,
    errors: ['user_id'],
  },
  'a NUL byte': {
    body: '{"user_id":"u\\u0000","org_id":"o","client_id":"c","message":"m"}',
    status: 422,
    code: 'invalid_fields',
    detail: /NUL/,
    errors: ['user_id'],
  },
  'a user_id of 10,000 characters': {
    body: message({ user_id: 'x'.repeat(10_000) }),
    status: 422,
    code: 'invalid_fields',
    detail: /at most 256 characters/,
    errors: ['user_id'],
  },
  'a body of 40 MB': {
    body: message({ message: 'x'.repeat(40_000_000) }),
    status: 413,
    code: 'body_too_large',
    detail: /MAX_BODY_BYTES/,
  },
  'no content type': {
    headers: { 'content-type': '' },
    body: message(),
    status: 415,
    code: 'wrong_content_type',
    detail: /application\/json/,
  },
  'a form': {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'user_id=u',
    status: 415,
    code: 'wrong_content_type',
    detail: /application\/json/,
  },
  'another charset': {
    headers: { 'content-type': 'application/json; charset=latin-9x' },
    body: message(),
    status: 415,
    code: 'wrong_content_type',
    detail: /UTF-8/,
  },
  'an unknown path': {
    method: 'GET',
    path: '/api/v1/nothing',
    status: 404,
    code: 'not_found',
    detail: /nothing at this path/,
  },
  'a path that is not percent-encoding': {
    method: 'GET',
    path: '/api/v1/queue/%E0%A4%A',
    status: 400,
    code: 'malformed_path',
    detail: /percent-encoding/,
  },
  'a wrong method': { method: 'PUT', status: 405, code: 'method_not_allowed', detail: /Use POST/ },
  'a wrong method for a path of no key': {
    method: 'POST',
    path: '/health',
    status: 405,
    code: 'method_not_allowed',
    detail: /Use HEAD, GET/,
  },
  'a stream without a message': {
    method: 'GET',
    path: '/api/v1/stream?user_id=u',
    status: 422,
    code: 'invalid_fields',
    detail: /message_id is required/,
    errors: ['message_id'],
  },
  'an endless user in a path': {
    method: 'GET',
    path: `/api/v1/queue/${'x'.repeat(1300)}`,
    status: 422,
    code: 'invalid_fields',
    detail: /at most 1024/,
    errors: ['user_id'],
  },
};

for (const kind of STORES) {
  test(`${kind}: every bad input gets its clear answer and leaves nothing behind`, async (t) => {
    const { url, worker } = await aSystem(t, kind, { env: { BROKER_API_KEY: `other-key, ${KEY}` } });
    const client = new Client(url, { 'x-api-key': KEY });
    for (const [name, row] of Object.entries(ROWS)) {
      const { method = 'POST', path = '/api/v1/message', headers = JSON_TYPE, body } = row;
      const answer = await client.request(method, path, { headers, ...(body === undefined ? {} : { body }) });
      t.like(answer, { status: row.status, body: { status: row.status, code: row.code } }, name);
      t.regex(String(answer.body['detail']), row.detail, name);
      t.regex(answer.headers.get('content-type') ?? '', /^application\/problem\+json/, name);
      t.truthy(answer.headers.get('x-request-id'), name);
      if (row.status === 405) t.truthy(answer.headers.get('allow'), name);
      if (row.errors) {
        const { errors } = answer.body;
        t.deepEqual(Array.isArray(errors) && errors.map(({ path: field }) => field), row.errors, name);
      }
    }
    t.is(worker.calls.length, 0);
    t.like((await client.get('/health')).body, { active_queues: 0, messages_waiting: 0, messages_processing: 0 });
    t.like((await client.get('/api/v1/queue/u')).body, { queue_length: 0, is_processing: false, messages: [] });
  });

  test(`${kind}: only holders of a key pass, but for the health paths`, async (t) => {
    const { client: nobody, url } = await aSystem(t, kind, { env: { BROKER_API_KEY: `other-key, ${KEY}` } });
    for (const path of ['/api/v1/queue/u', '/api/v1/stream?user_id=u&message_id=m', '/api/v1/nothing']) {
      t.like(await nobody.get(path), {
        status: 401,
        body: { code: 'missing_key', detail: 'Missing X-API-Key header' },
      });
      const wrong = new Client(url, { 'x-api-key': `${KEY}x` });
      t.like(await wrong.get(path), { status: 403, body: { code: 'invalid_key', detail: 'Invalid API key' } });
    }
    t.is((await nobody.post(aBody('u', 'hello'))).status, 401);
    t.is((await nobody.request('PUT', '/api/v1/message')).status, 401);
    for (const headers of [{ 'x-api-key': KEY }, { 'x-api-key': 'other-key' }, { authorization: `Bearer ${KEY}` }]) {
      t.is((await new Client(url, headers).get('/api/v1/queue/u')).status, 200);
    }
    for (const path of ['/health', '/health/live', '/health/ready']) t.is((await nobody.get(path)).status, 200);
  });

  test(`${kind}: odd user ids are users like any other`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const users = [
      'a/b',
      '{u}',
      '}',
      'with spaces',
      '🕊️ Ana',
      'group:x:y',
      '%2F',
      '..',
      'u\u2028v',
      '"',
      'x'.repeat(256),
    ];
    for (const user of users) {
      const { status, body } = await client.post(aBody(user, 'hello'));
      t.is(status, 202, user);
      const events = await Array.fromAsync(client.events(String(body['stream_url']), {}));
      t.is(events.at(-1)?.event, 'done', user);
      const queue = await rawGet(`${client.url}/api/v1/queue/${encodeURIComponent(user).replaceAll('.', '%2E')}`);
      t.like(JSON.parse(queue), { user_id: user, queue_length: 0 }, user);
    }
    t.deepEqual(
      worker.calls.map((call) => call.user_id),
      users,
    );
  });

  test(`${kind}: a request id is taken over when it is a sane one`, async (t) => {
    const { client } = await aSystem(t, kind);
    const sane = await client.request('GET', '/health', { headers: { 'x-request-id': 'abc-123' } });
    t.is(sane.headers.get('x-request-id'), 'abc-123');
    const mad = await client.request('GET', '/health', { headers: { 'x-request-id': 'x'.repeat(500) } });
    t.regex(mad.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
  });
}

/** A GET that leaves the path as it is: `fetch` resolves an encoded `..`. */
function rawGet(url: string): Promise<string> {
  const { hostname, port, origin } = new URL(url);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path: url.slice(origin.length) }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve(body));
    })
      .on('error', reject)
      .end();
  });
}
