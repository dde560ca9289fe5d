import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import test from 'ava';
import type { SimulatedWorker } from '../../src/simulated-worker/server.ts';
import { largeAudio } from '../../src/simulated-worker/voices.ts';
import { type Answered, message, send, withWorker } from './helpers.ts';

const get = (
  worker: SimulatedWorker,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answered> => send(worker, '', { method, path, headers });

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

test('ranges, tags and heads of a file', async (t) => {
  await withWorker({}, async (worker) => {
    const path = '/public/notes.txt';
    const whole = await get(worker, path);
    const said = whole.body.toString();
    t.is(said, 'The public file /public/notes.txt.\n');
    const [, etag = ''] = /ETag: (.*)/.exec(whole.head) ?? [];
    t.regex(etag, /^"[0-9a-f]{32}"$/);
    const part = async (headers: Record<string, string>): Promise<[number, string, string | undefined]> => {
      const { status, body, head } = await get(worker, path, headers);
      return [status, body.toString(), /Content-Range: (.*)/.exec(head)?.[1]];
    };
    t.deepEqual(await part({ Range: 'bytes=4-9' }), [206, 'public', 'bytes 4-9/35']);
    t.deepEqual(await part({ Range: 'bytes=30-99' }), [206, 'txt.\n', 'bytes 30-34/35']);
    t.deepEqual(await part({ Range: 'bytes=30-' }), [206, 'txt.\n', 'bytes 30-34/35']);
    t.deepEqual(await part({ Range: 'bytes=-5' }), [206, 'txt.\n', 'bytes 30-34/35']);
    t.deepEqual(await part({ Range: 'bytes=0-0', 'If-Range': etag }), [206, 'T', 'bytes 0-0/35']);
    t.deepEqual(await part({ Range: 'bytes=35-' }), [416, '', 'bytes */35']);
    t.deepEqual(await part({ Range: 'bytes=-0' }), [416, '', 'bytes */35']);
    for (const range of ['bytes=3-2', 'bytes=-', 'bytes=0-1,3-4', 'lines=1-2'])
      t.deepEqual(await part({ Range: range }), [200, said, undefined]);
    t.deepEqual(await part({ Range: 'bytes=0-0', 'If-Range': '"old"' }), [200, said, undefined]);
    for (const tags of [etag, '*', `"a", W/${etag}`]) {
      const same = await get(worker, path, { 'If-None-Match': tags });
      t.deepEqual([same.status, same.body.length], [304, 0]);
      t.true(same.head.includes(`ETag: ${etag}`));
    }
    t.is((await get(worker, path, { 'If-None-Match': '"old"' })).status, 200);
    const head = await get(worker, path, {}, 'HEAD');
    t.deepEqual([head.head, head.body.length], [whole.head, 0]);
  });
});

test('a large audio: the same bytes each time, whole or in part', async (t) => {
  await withWorker({}, async (worker) => {
    const path = '/api/v1/audio/large/20000000.opus';
    const { body, head } = await get(worker, path);
    t.true(head.includes('Content-Length: 20000000\r\nContent-Type: audio/ogg\r\n'));
    t.is(body.length, 20_000_000);
    t.is(body.subarray(160, 192).toString(), '000000000000160\n000000000000176\n');
    t.is(sha256(body), sha256(Buffer.concat([...largeAudio(0, 20_000_000)])));
    const middle = await get(worker, path, { Range: 'bytes=65530-200003' });
    t.true(middle.body.equals(body.subarray(65_530, 200_004)));
    t.is(worker.requests[0]?.sent, 20_000_000);
    t.is(worker.requests[1]?.sent, 200_004 - 65_530);
  });
});

test('a large audio is made as it is read, and no further when the client leaves', async (t) => {
  await withWorker({}, async (worker) => {
    const url = `${worker.url}/api/v1/audio/large/900000000000.opus`;
    const asked = request(url, (response) => void response.once('data', () => asked.destroy()));
    asked.on('error', () => undefined).end();
    const record = await worker.until(() => worker.requests.find((one) => one.endedAt !== undefined));
    t.like(record, { aborted: true, status: 200, method: 'GET', url: '/api/v1/audio/large/900000000000.opus' });
    t.true(record.sent > 0 && record.sent < 100_000_000);
  });
});

test('an upload is counted and hashed as it comes', async (t) => {
  await withWorker({ apiKey: 'k' }, async (worker) => {
    const url = `${worker.url}/api/v1/orgs/o/uploads/book.zip?part=1`;
    const pieces = [...largeAudio(0, 5_000_000)];
    const put = async (key: string): Promise<[number | undefined, string]> => {
      const sending = request(url, { method: 'PUT', headers: { Authorization: `Bearer ${key}` } });
      const answered = once(sending, 'response');
      for (const piece of pieces) sending.write(piece);
      sending.end();
      const [response]: IncomingMessage[] = await answered;
      return [response?.statusCode, response === undefined ? '' : await text(response)];
    };
    t.deepEqual(await put('k'), [200, `{"bytes":5000000,"sha256":"${sha256(Buffer.concat(pieces))}"}`]);
    t.like(worker.requests[0], { method: 'PUT', received: 5_000_000, body: '', status: 200, aborted: false });
    t.deepEqual(await put('x'), [403, '{"error":"Invalid API key"}']);

    const left = request(url, { method: 'PUT', headers: { Authorization: 'Bearer k', 'Content-Length': '99' } });
    left.on('error', () => undefined).write('abc');
    await worker.until(() => worker.requests.find((one) => one.received === 3));
    left.destroy();
    t.like(await worker.until(() => worker.requests.find((one) => one.n === 3 && one.endedAt !== undefined)), {
      aborted: true,
      status: undefined,
    });
  });
});

test('keys, administration, unknown paths, and what tests can read of them', async (t) => {
  await withWorker({ apiKey: 'k' }, async (worker) => {
    const key = { Authorization: 'Bearer k', 'X-Trace': '7' };
    const ask = async (path: string, headers = {}, method = 'GET'): Promise<string> => {
      const { status, body } = await get(worker, path, headers, method);
      return `${status} ${body.toString()}`;
    };
    t.is(await ask('/public/a%20b/c.txt?v=1'), '200 The public file /public/a%20b/c.txt.\n');
    t.is(await ask('/api/v1/admin/orgs'), '401 {"error":"Authorization header with Bearer token required"}');
    t.is(await ask('/api/v1/admin/orgs', { Authorization: 'Bearer x' }), '403 {"error":"Invalid API key"}');
    t.is(
      await ask('/api/v1/admin/orgs?x=1', key, 'DELETE'),
      '200 {"method":"DELETE","url":"/api/v1/admin/orgs?x=1","received":0}',
    );
    for (const path of ['/api/v1/audio/audio/o/u/x.opus', '/api/v1/voice-submissions/x', '/api/v1/orgs/o', '/api/v2'])
      t.is(await ask(path, key), '404 {"error":"Not found"}');
    t.is(await ask('/api/v1/orgs/%E0%A4%A/users/u/history', key), '404 {"error":"Not found"}');
    t.is(await ask('/public/x', {}, 'POST'), '404 {"error":"Not found"}');
    await get(worker, '/health');
    t.is(worker.requests.length, 10);
    t.like(worker.requests[3], { n: 4, method: 'DELETE', url: '/api/v1/admin/orgs?x=1', status: 200, body: '' });
    t.is(worker.requests[3]?.headers['x-trace'], '7');
    t.deepEqual(worker.calls, []);
    worker.forget();
    t.deepEqual(worker.requests, []);
  });
});

test('pages of a history; it outlives the process; failed turns leave nothing', async (t) => {
  await withWorker({}, async (worker) => {
    const page = async (query = ''): Promise<Record<string, unknown>> =>
      JSON.parse((await get(worker, `/api/v1/orgs/o%20x/users/u1/history${query}`)).body.toString());
    t.deepEqual(await page(), { user_id: 'u1', entries: [], total_count: 0, limit: 50, offset: 0 });
    for (const text of ['a', '[[fail=529]] b', '[[midfail=1]] c d e', '[[nocomplete]] d', 'e', 'f'])
      await send(worker, message(text, { org: 'o x' }));
    await send(worker, message('g', { org: 'other' }));
    await worker.stop();
    await worker.start();
    const said = (answer: Record<string, unknown>): unknown =>
      JSON.stringify(answer).match(/(?<="user_message":")[^"]*/g);
    t.deepEqual(said(await page()), ['a', 'e', 'f']);
    const part = await page('?limit=1&offset=1');
    t.deepEqual(said(part), ['e']);
    t.like(part, { total_count: 3, limit: 1, offset: 1 });
    t.like(await page('?limit=x'), { limit: 50 });
    worker.forget();
    t.like(await page(), { total_count: 0 });
  });
});

test('a voice message sent in a group, in another format', async (t) => {
  await withWorker({}, async (worker) => {
    const voice = {
      ...{ client_id: 'w', user_id: 'Ana B', message_type: 'audio', audio_format: 'mp3' },
      audio_base64: Buffer.from('hello').toString('base64'),
      ...{ chat_type: 'group', chat_id: -7, speaker: 'Ana' },
    };
    await send(worker, voice);
    const history = await get(worker, '/api/v1/admin/orgs/unfoldingWord/groups/-7/history');
    const { entries } = JSON.parse(history.body.toString());
    t.like(entries[0], { user_message: 'hello', assistant_response: 'hello', speaker: 'Ana' });
    t.regex(entries[0].inbound_voice_audio_key, /^voice-submissions\/unfoldingWord\/-7\/Ana%20B\/[-0-9a-f]{36}\.mp3$/);
    for (const [url, type, text] of [
      [entries[0].voice_audio_url, 'audio/ogg', 'OggS-fake-opus-audio'],
      [entries[0].inbound_voice_audio_url, 'audio/mpeg', 'hello'],
    ]) {
      const got = await get(worker, new URL(url).pathname);
      t.is(got.body.toString(), text);
      t.true(got.head.includes(`Content-Type: ${type}\r\nCache-Control: private, max-age=86400`));
    }
  });
});
