import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { BrokerClient, BrokerError } from '../../src/client/index.ts';
import { aSystem, STORES } from '../helpers/broker.ts';
import { aBody } from '../helpers/client.ts';
import { anEndpoint } from '../helpers/endpoint.ts';
import { aFreeAddress, aServer } from './helpers.ts';

for (const kind of STORES) {
  test(`${kind}: every method does what it says`, async (t) => {
    const { url, client } = await aSystem(t, kind);
    const broker = new BrokerClient({ url });
    const user = 'ruth/ü 😀?';
    const running = await broker.send(aBody(user, '[[stall=1]]'));
    t.like(running, { status: 'queued', queue_position: 1, duplicate: undefined });
    await client.streaming(user, running.message_id);
    const waiting = await broker.send(aBody(user, 'Hi', { client_message_id: 'mine' }));
    t.like(await broker.send(aBody(user, 'Hi', { client_message_id: 'mine' })), { ...waiting, duplicate: true });
    await broker.send(aBody(user, 'And more'));

    const queue = await broker.queue(user);
    t.like(queue, { user_id: user, queue_length: 2, is_processing: true, current_message_id: running.message_id });
    t.is(queue.messages[1]?.message_id, waiting.message_id);
    t.like(await broker.message(user, waiting.message_id), { status: 'queued', queue_position: 1, result: null });
    t.deepEqual(await broker.cancel(user, waiting.message_id), { message_id: waiting.message_id, status: 'cancelled' });
    t.deepEqual(await broker.clear(user), { user_id: user, cancelled: 1 });
    t.is((await broker.cancel(user, running.message_id)).status, 'cancelled');

    const failed = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const { message_id } = await broker.send(aBody(name, '[[status=400 failtimes=1]] Hi'));
        await client.all(name, message_id);
        return message_id;
      }),
    );
    const page = await broker.deadLetters({ limit: 1 });
    const rest = await broker.deadLetters({ cursor: page.next_cursor ?? '' });
    const letters = [...page.dead_letters, ...rest.dead_letters];
    t.deepEqual(letters.map(({ message_id }) => message_id).sort(), failed.sort());
    t.is(rest.next_cursor, null);
    const [letter, other] = letters;
    t.like(letter, { kind: 'message', code: 'worker_rejected', attempts: 1 });
    t.is((await broker.retry(letter?.user_id ?? '', letter?.message_id ?? '')).status, 'queued');
    await client.all(letter?.user_id ?? '', letter?.message_id ?? '');
    const state = await broker.message(letter?.user_id ?? '', letter?.message_id ?? '');
    t.like(state, { status: 'completed', result: { responses: ['Hi'] } });
    const [otherUser, otherId] = [other?.user_id ?? '', other?.message_id ?? ''];
    await t.throwsAsync(broker.discard(otherUser, otherId, { only: 'callback' }), { code: 'not_dead' });
    t.deepEqual(await broker.discard(otherUser, otherId), { message_id: otherId, discarded: true });
    t.deepEqual((await broker.deadLetters()).dead_letters, []);

    t.like(await broker.health(), { status: 'healthy', store: kind });
  });
}

test('a callback that was given up is made again, and its message is not', async (t) => {
  const endpoint = await anEndpoint(t, () => ({ status: 410 }));
  const { url, worker } = await aSystem(t, 'embedded', { env: { CALLBACK_ALLOW_HOSTS: endpoint.host } });
  const broker = new BrokerClient({ url });
  const { message_id } = await broker.send(aBody('u', '[[status=400]]', { callback_url: endpoint.url }));
  const givenUp = async () => {
    while ((await broker.message('u', message_id)).callback?.status !== 'undelivered');
  };
  await givenUp();
  t.deepEqual(await broker.retry('u', message_id, { only: 'callback' }), { status: 'redelivering', message_id });
  await endpoint.until(() => endpoint.calls.length === 2);
  await givenUp();
  t.is(worker.calls.length, 1);
  await broker.retry('u', message_id);
  for await (const { type } of broker.stream({ userId: 'u', messageId: message_id })) if (type === 'error') break;
  t.is(worker.calls.length, 2);
  const { message_id: other } = await broker.send(aBody('u', 'Hi'));
  await t.throwsAsync(broker.retry('u', other, { only: 'callback' }), { code: 'not_undelivered' });
});

test('a group, and a spoken message, go the same way', async (t) => {
  const { url, worker } = await aSystem(t, 'embedded');
  const broker = new BrokerClient({ url });
  const group = { ...aBody('ruth', 'Hi'), chat_type: 'group', chat_id: -100 };
  const ends = [await Array.fromAsync(broker.sendAndStream(group))];
  const { message: _, ...base } = aBody('ruth', '');
  const audio = { message_type: 'audio', audio_base64: btoa('Hello'), audio_format: 'ogg' } as const;
  ends.push(await Array.fromAsync(broker.sendAndStream({ ...base, ...audio })));
  t.deepEqual(
    ends.map((events) => events.at(-1)?.type),
    ['done', 'done'],
  );
  t.deepEqual(
    worker.calls.map(({ queue }) => queue),
    ['group:unfoldingWord:-100', 'ruth'],
  );
  t.is((await broker.queue('group:unfoldingWord:-100')).queue_length, 0);
});

test('what a newer broker or another engine says is taken as it is', async (t) => {
  const answers: Record<string, unknown> = {
    '/api/v1/queue/u/messages/m': {
      ...{ message_id: 'm', user_id: 'u', status: 'paused', queue_position: null, attempts: 1, queued_at: '' },
      ...{ started_at: null, ended_at: null, code: null, error: null },
      callback: { status: 'resting', attempts: 1, error: '' },
      result: { answer: 42, voice_audio_url: 1 },
    },
    '/api/v1/dead-letters?': {
      dead_letters: [
        {
          ...{ kind: 'webhook', message_id: 'm', user_id: 'u', attempts: 1 },
          ...{ queued_at: '', failed_at: '', code: 'c', error: '' },
        },
      ],
      next_cursor: null,
    },
  };
  const url = await aServer(t, (request, response) => {
    response.end(JSON.stringify(answers[request.url ?? '']));
  });
  const broker = new BrokerClient({ url });
  t.deepEqual<unknown, unknown>(await broker.message('u', 'm'), answers['/api/v1/queue/u/messages/m']);
  t.deepEqual<unknown, unknown>(await broker.deadLetters(), answers['/api/v1/dead-letters?']);
});

test('what the broker refuses is thrown with its status, code, sentence and fields', async (t) => {
  const { url } = await aSystem(t, 'embedded', { env: { BROKER_API_KEY: 'right', MAX_QUEUE_LENGTH: '1' } });
  const broker = new BrokerClient({ url, apiKey: 'right' });
  const refusal = (work: Promise<unknown>) => t.throwsAsync(work, { instanceOf: BrokerError });
  t.like(await refusal(new BrokerClient({ url }).queue('u')), { status: 401, code: 'missing_key' });
  const wrong = await refusal(new BrokerClient({ url, apiKey: 'wrong' }).queue('u'));
  t.like(wrong, { name: 'BrokerError', status: 403, code: 'invalid_key', detail: 'Invalid API key', passing: false });
  t.regex(wrong?.requestId ?? '', /^[\w-]{36}$/);
  t.false(JSON.stringify(wrong).includes('wrong'));

  const fields = await refusal(broker.send(aBody('u', ' ', { org_id: '' })));
  t.like(fields, { status: 422, code: 'invalid_fields' });
  t.deepEqual(fields?.errors.map(({ path }) => path).sort(), ['message', 'org_id']);
  t.like(await refusal(broker.message('u', 'none')), { status: 404, code: 'unknown_message' });
  t.like(await refusal(broker.stream({ userId: 'u', messageId: 'none' }).next()), { code: 'unknown_message' });
  t.like(await refusal(broker.retry('u', 'none')), { code: 'unknown_message' });

  const { message_id, stream_url } = await broker.send(aBody('u', '[[hang]]'));
  for await (const { type } of broker.stream({ streamUrl: stream_url })) if (type === 'processing') break;
  t.like(await refusal(broker.send(aBody('u', 'Hi', { if_busy: 'reject' }))), { status: 409, code: 'busy' });
  await broker.send(aBody('u', 'Hi'));
  t.like(await refusal(broker.send(aBody('u', 'Hi'))), { status: 429, code: 'queue_full', retryAfterMs: 5000 });
  await broker.cancel('u', message_id);
  t.like(await refusal(broker.cancel('u', message_id)), { status: 409, code: 'already_ended' });
});

test('who does not answer, and who is no broker, are told apart', async (t) => {
  const once = { userId: 'u', messageId: 'm' };
  const free = await aFreeAddress();
  const nobody = new BrokerClient({ url: free, patienceMs: 0 });
  const unreachable = {
    instanceOf: BrokerError,
    code: 'unreachable',
    message: /at http:\/\/127\.0\.0\.1:\d+ cannot be/,
  };
  const fault = await t.throwsAsync(nobody.queue('u'), unreachable);
  t.like(fault, { status: 0, passing: true });
  t.true(fault?.cause instanceof Error);
  await t.throwsAsync(nobody.stream(once).next(), unreachable);
  await t.throwsAsync(new BrokerClient({ url: free, patienceMs: 1200 }).stream(once).next(), unreachable);

  const url = await aServer(t, (_request, response) => void response.setHeader('Content-Type', 'text/html').end('<p>'));
  const page = new BrokerClient({ url });
  const unexpected = { instanceOf: BrokerError, code: 'unexpected_answer' };
  await t.throwsAsync(page.health(), unexpected);
  await t.throwsAsync(page.stream(once).next(), unexpected);
  await t.throwsAsync(page.send(aBody('u', 'Hi')), unexpected);
  const gate = await aServer(t, (_request, response) => void response.writeHead(418).end('<p>'));
  t.like(await t.throwsAsync(new BrokerClient({ url: gate }).queue('u'), unexpected), { status: 418 });
  const garbage = await aServer(t, (_request, response) => {
    response.setHeader('Content-Type', 'text/event-stream').end('id: 1\nevent: done\ndata: done\n\n');
  });
  await t.throwsAsync(new BrokerClient({ url: garbage }).stream(once).next(), unexpected);

  const silent = await aServer(t, () => {});
  const impatient = new BrokerClient({ url: silent, idleMs: 100, patienceMs: 0 });
  await t.throwsAsync(impatient.send(aBody('u', 'Hi')), { code: 'unreachable', message: /said nothing/ });
  const pieces = ['{"user_id":"u",', ...Array<string>(8).fill(' '), '"cancelled":1}'];
  const slow = await aServer(t, (_request, response) => {
    const next = setInterval(() => {
      response.write(pieces.shift() ?? '');
      if (pieces.length) return;
      clearInterval(next);
      response.end();
    }, 100);
  });
  t.like(await new BrokerClient({ url: slow, idleMs: 600 }).clear('u'), { cancelled: 1 });
  const patient = new BrokerClient({ url: silent, idleMs: 2 ** 40, patienceMs: 0 });
  const waiting = patient.queue('u', { signal: AbortSignal.timeout(100) });
  await t.throwsAsync(waiting, { name: 'TimeoutError' });
  const leave = new AbortController();
  const reading = new BrokerClient({ url: free }).stream({ ...once, signal: leave.signal }).next();
  // It is in a pause between two tries.
  await delay(100);
  leave.abort();
  await t.throwsAsync(reading, { name: 'AbortError' });
});

test('a message that cannot be stored at the moment is sent again under the same id', async (t) => {
  const ids: unknown[] = [];
  const answer = { status: 'queued', message_id: 'm', queue_position: 1, stream_url: '/s' };
  const url = await aServer(t, (request, response) => {
    void json(request).then((body) => {
      ids.push(typeof body === 'object' && body && 'client_message_id' in body && body.client_message_id);
      if (ids.length < 3) response.writeHead(503, { 'Retry-After': '0' }).end();
      else response.writeHead(202).end(JSON.stringify(answer));
    });
  });
  t.is((await new BrokerClient({ url }).send(aBody('u', 'Hi'))).message_id, 'm');
  t.is(new Set(ids).size, 1);
  t.regex(String(ids[0]), /^[0-9a-f]{32}$/);
});

test('the key goes to the broker alone, and into no message of an error', async (t) => {
  const keys: unknown[] = [];
  const answer = ({ url: path, headers }: IncomingMessage, response: ServerResponse) => {
    keys.push([path, headers.authorization]);
    response.writeHead(204).end();
  };
  const elsewhere = await aServer(t, answer);
  const url = await aServer(t, answer);
  const broker = new BrokerClient({ url: `${url}/broker/`, apiKey: 'secret' });
  const { host } = new URL(elsewhere);
  const links = [`${elsewhere}/1`, `//${host}/2`, `/\\${host}/3`, `${url}/4`, '/../5', '/6', `${url}/broker/7`];
  for (const streamUrl of links) await Array.fromAsync(broker.stream({ streamUrl }));
  await Array.fromAsync(new BrokerClient({ url, apiKey: 'secret' }).stream({ streamUrl: `/\\${host}/8` }));
  t.deepEqual(keys, [
    ['/1', undefined],
    ['/2', undefined],
    ['/3', undefined],
    ['/4', undefined],
    ['/5', undefined],
    ['/broker/6', 'Bearer secret'],
    ['/broker/7', 'Bearer secret'],
    ['/8', undefined],
  ]);
  const fault = t.throws(() => new BrokerClient({ url, apiKey: 'secret\n' }), { instanceOf: TypeError });
  t.notRegex(fault?.message ?? '', /secret/);
});

test('on a page of its own the broker is whatever has its origin', async (t) => {
  const asked: unknown[] = [];
  const fetch = (url: string, { headers }: RequestInit) => {
    asked.push([url, new Headers(headers).get('Authorization')]);
    return Promise.resolve(new Response(null, { status: 204 }));
  };
  const links = ['/1', '//evil.example/2', '/\\evil.example/3', 'https://evil.example/4'];
  for (const url of ['', '/broker']) {
    const broker = new BrokerClient({ url, apiKey: 'key', fetch });
    for (const streamUrl of links) await Array.fromAsync(broker.stream({ streamUrl }));
  }
  const others = ['http://evil.example/2', 'http://evil.example/3', 'https://evil.example/4'].map((url) => [url, null]);
  t.deepEqual(asked, [['/1', 'Bearer key'], ...others, ['/broker/1', 'Bearer key'], ...others]);
});

test('a redirect is not followed: it is told where to', async (t) => {
  const methods: (string | undefined)[] = [];
  const target = await aServer(t, ({ method }, response) => void response.end(methods.push(method)));
  for (const status of [301, 307]) {
    const url = await aServer(t, (request, response) => {
      response.writeHead(status, { Location: `${target}${request.url}?token=secret` }).end();
    });
    const unexpected = { instanceOf: BrokerError, code: 'unexpected_answer' };
    const broker = new BrokerClient({ url: `${url}/broker`, apiKey: 'key' });
    const fault = await t.throwsAsync(broker.send(aBody('u', 'Hi')), unexpected);
    t.like(fault, { status, message: `The address redirects; use ${target}/broker as url.` });
    await t.throwsAsync(broker.stream({ userId: 'u', messageId: 'm' }).next(), unexpected);
  }
  const silent = await aServer(t, (_request, response) => void response.writeHead(302).end());
  const message = 'The address redirects; use its target as url.';
  await t.throwsAsync(new BrokerClient({ url: silent }).queue('u'), { message });
  t.deepEqual(methods, []);
});

test('what would ask for something else is refused before it is asked', async (t) => {
  const wrong = ['localhost:8000', 'http://', 'http://a b', '//evil.example', '/\\evil.example', '/broker?secret=1'];
  wrong.push(
    'http://me:secret@localhost',
    'http://secret@localhost',
    'http://localhost?secret=1',
    'http://localhost#secret',
  );
  for (const url of wrong) {
    const fault = t.throws(() => new BrokerClient({ url }), { instanceOf: TypeError, message: /^url must be / }, url);
    t.notRegex(fault?.message ?? '', /secret|evil/);
  }
  for (const idleMs of [Number.NaN, 0, -1]) {
    t.throws(() => new BrokerClient({ url: '', idleMs }), { instanceOf: TypeError, message: /^idleMs / });
  }
  for (const patienceMs of [Number.NaN, -1]) {
    t.throws(() => new BrokerClient({ url: '', patienceMs }), { instanceOf: TypeError, message: /^patienceMs / });
  }
  const broker = new BrokerClient({ url: 'http://127.0.0.1:1' });
  for (const id of ['', '.', '..']) {
    await t.throwsAsync(broker.cancel('u', id), { instanceOf: TypeError });
    await t.throwsAsync(broker.queue(id), { instanceOf: TypeError });
  }
});

test('another fetch is used when it is given', async (t) => {
  const asked: string[] = [];
  const fetch = (url: string) => {
    asked.push(url);
    return Promise.resolve(Response.json({ user_id: 'u', cancelled: 3 }));
  };
  t.deepEqual(await new BrokerClient({ url: '', fetch }).clear('u'), { user_id: 'u', cancelled: 3 });
  t.deepEqual(asked, ['/api/v1/queue/u']);
});
