import { request } from 'node:http';
import test from 'ava';
import fc from 'fast-check';
import { aSystem } from '../helpers/broker.ts';
import { type Answered, mustBeDocumented } from '../helpers/openapi.ts';

type Input = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

const FIELDS = [
  'user_id',
  'org_id',
  'client_id',
  'message',
  'message_type',
  'client_message_id',
  'audio_base64',
  'audio_format',
  'chat_type',
  'chat_id',
  'thread_id',
  'speaker',
  'addressed_to_bot',
  'response_language_hint',
  'callback_url',
  'if_busy',
  '__proto__',
];
const WORDS = ['u', 'web', 'text', 'audio', 'group', 'interrupt', 'reject', 'hello', 'b2dn', ''];
const aValue = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...WORDS) },
  fc.string({ unit: 'binary' }),
  fc.jsonValue(),
);
const aBody = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .record(Object.fromEntries(FIELDS.map((field) => [field, aValue])), { requiredKeys: [] })
      .map((body) => JSON.stringify(body)),
  },
  fc.json(),
  fc.string({ unit: 'binary' }),
);
const anId = fc.oneof(
  fc.constantFrom('u', 'group:o:1', '%', '%00', '%2F', '..'),
  fc.string({ unit: 'binary' }).map(encoded),
);
const aPath = fc.oneof(
  { weight: 4, arbitrary: fc.constant('/api/v1/message') },
  anId.map((id) => `/api/v1/queue/${id}`),
  fc
    .tuple(anId, anId, fc.constantFrom('', '/retry'))
    .map(([user, id, rest]) => `/api/v1/queue/${user}/messages/${id}${rest}`),
  fc
    .tuple(anId, anId, anId)
    .map(([user, id, last]) => `/api/v1/stream?user_id=${user}&message_id=${id}&last_event_id=${last}`),
  fc.tuple(anId, anId).map(([limit, cursor]) => `/api/v1/dead-letters?limit=${limit}&cursor=${cursor}`),
  fc.webPath().map((path) => path || '/'),
);
const aHeader = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) });
const anInput: fc.Arbitrary<Input> = fc.record({
  method: fc.constantFrom('POST', 'POST', 'POST', 'GET', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'OPTIONS'),
  path: aPath,
  headers: fc.dictionary(
    fc.constantFrom(
      'accept',
      'content-type',
      'content-encoding',
      'idempotency-key',
      'last-event-id',
      'x-request-id',
      'x-api-key',
    ),
    fc.oneof(fc.constantFrom('application/json', 'text/event-stream', 'gzip', '*/*'), aHeader),
  ),
  body: aBody,
});

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** The answer; its body is read to the end, but for an event stream, which is left. */
function answerTo(url: string, { method, path, headers, body }: Input): Promise<Answered> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method, path, headers: { 'content-type': 'application/json', ...headers } });
    sent.once('error', reject);
    sent.once('response', (answer) => {
      const { statusCode: status = 0, headers } = answer;
      const isStream = headers['content-type']?.startsWith('text/event-stream');
      const chunks: Buffer[] = [];
      const done = () => resolve({ status, headers, ...(isStream ? {} : { body: Buffer.concat(chunks).toString() }) });
      if (isStream) answer.destroy();
      answer.on('error', done).on('close', done);
      answer.on('data', (chunk) => chunks.push(chunk));
    });
    sent.end(['GET', 'HEAD', 'DELETE', 'OPTIONS'].includes(method) ? undefined : body);
  });
}

test('no input makes the broker fail, or answer what openapi.json does not have', async (t) => {
  const { url, client } = await aSystem(t, 'embedded', { env: { MAX_QUEUE_LENGTH: '1000' } });
  await fc.assert(
    fc.asyncProperty(anInput, async (input) => {
      const answer = await answerTo(url, input);
      const { status } = answer;
      t.true(status >= 200 && status < 500, `${status} for ${JSON.stringify(input)}`);
      mustBeDocumented(input, answer);
    }),
    { numRuns: 500 },
  );
  t.is((await client.get('/health')).status, 200);
});
