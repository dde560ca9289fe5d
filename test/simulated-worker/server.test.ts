import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import test from 'ava';
import { startSimulatedWorker } from '../../src/simulated-worker/server.ts';
import { ended, lines, message, send, withWorker } from './helpers.ts';

const types = (body: Buffer): string[] => lines(body).map((line) => /"type":"(\w+)"/.exec(line)?.[1] ?? line);

test('an echo, in one write when nothing waits', async (t) => {
  await withWorker({}, async (worker) => {
    const got = await send(worker, message('What is John 3:16? Tell me at length, with all that belongs to it'));
    t.deepEqual(types(got.body), ['status', 'progress', 'progress', 'progress', 'progress', 'complete']);
    t.is(got.chunks.length, 1);
    t.regex(
      lines(got.body).at(-1) ?? '',
      /"responses":\["What is John 3:16\? Tell me at length, with all that belongs to it"\]/,
    );
    t.deepEqual(worker.calls[0]?.sentData, lines(got.body));
  });
});

test('health, other paths, keys', async (t) => {
  await withWorker({ apiKey: 'k' }, async (worker) => {
    const ask = async (path: string, method: string, key?: string): Promise<string> => {
      const got = await send(worker, message('hi'), {
        path,
        method,
        headers: key === undefined ? {} : { Authorization: key },
      });
      return `${got.status} ${types(got.body).join()}`;
    };
    t.is(await ask('/health', 'GET'), '200 {"status":"healthy"}');
    t.is(await ask('/nowhere', 'GET'), '404 {"error":"Not found"}');
    t.is(await ask('/api/v1/chat/stream', 'GET', 'Bearer k'), '404 {"error":"Not found"}');
    t.is(await ask('/api/v1/chat/stream', 'POST'), '401 {"error":"Authorization header with Bearer token required"}');
    t.is(
      await ask('/api/v1/chat/stream', 'POST', 'Basic k'),
      '401 {"error":"Authorization header with Bearer token required"}',
    );
    t.is(await ask('/api/v1/chat/stream', 'POST', 'Bearer x'), '403 {"error":"Invalid API key"}');
    t.is(await ask('/api/v1/chat/stream', 'POST', 'Bearer k'), '200 status,progress,complete');
    t.deepEqual(
      worker.calls.map((call) => call.status),
      [401, 401, 403, 200],
    );
  });
});

test('validation', async (t) => {
  await withWorker({}, async (worker) => {
    const ask = async (body: unknown): Promise<string> => {
      const got = await send(worker, body);
      return `${got.status} ${lines(got.body).join()}`;
    };
    t.is(await ask('{'), '400 {"error":"Invalid JSON in request body"}');
    t.is(await ask('[]'), '400 {"error":"Invalid JSON in request body"}');
    t.is(await ask({}), '400 {"error":"user_id is required"}');
    t.is(await ask({ user_id: 'u' }), '400 {"error":"client_id is required"}');
    t.is(
      await ask(message('x', { message_key: 'k' })),
      '400 {"error":"message_key is only supported on /api/v1/chat/callback"}',
    );
    t.is(await ask(message('x', { message_type: 'film' })), '400 {"error":"message_type must be text or audio"}');
    t.is(await ask(message(' ')), '200 {"type":"error","error":"Message is required"}');
    t.deepEqual(worker.overlaps(), []);
    t.is(worker.open, 0);
  });
});

test('cuts inside characters reassemble to the same bytes', async (t) => {
  const text = message('[[text="שלום עליכם 👋🏽 e\\u0301 \\u2028 ü" cut=1]]');
  await withWorker({ cut: 'random', seed: 3 }, async (worker) => {
    const each = await send(worker, text);
    t.true(each.chunks.every((chunk) => chunk.length === 1));
    const random = await send(worker, message('[[text="שלום עליכם 👋🏽 e\\u0301 \\u2028 ü"]]'));
    t.deepEqual(random.body, each.body);
    t.true(random.chunks.some((chunk) => !Buffer.from(chunk.toString()).equals(chunk)));
    t.true(each.body.includes(Buffer.from('\u2028')));
  });
});

test('events and size', async (t) => {
  await withWorker({}, async (worker) => {
    const progress = async (text: string): Promise<string[]> =>
      lines((await send(worker, message(text))).body).flatMap(
        (line) => /^\{"type":"progress","text":"(.*)"\}$/.exec(line)?.slice(1) ?? [],
      );
    t.deepEqual(await progress('[[text="a b c d e f" events=2]]'), ['a b ', 'c d e f']);
    t.deepEqual(await progress('[[text="a b c" events=3]]'), ['a b ', 'c', 'a b ']);
    t.deepEqual(await progress('[[events=0]] x'), []);
    const sized = await progress('[[text="é👋" events=5 size=1000]]');
    t.deepEqual(
      sized.map((one) => Buffer.byteLength(one)),
      [1000, 1000, 1000, 1000, 1000],
    );
    t.is((await progress('[[events=3000 size=2000]] big')).length, 3000);
  });
});

test('crlf, raw, nocomplete, garbage', async (t) => {
  await withWorker({}, async (worker) => {
    const crlf = await send(worker, message('[[text="x" crlf]]'));
    t.is(crlf.body.toString().replaceAll('\r\n', '').includes('\n'), false);
    t.deepEqual(types(crlf.body), ['status', 'progress', 'complete']);

    const raw = await send(worker, message('[[text="x" raw="{ \\"odd\\" :1 }"]]'));
    t.deepEqual(types(raw.body), ['status', 'progress', '{ "odd" :1 }', 'complete']);
    const bytes = await send(worker, message('[[text="x" raw64=/4D+]]'));
    t.true(bytes.body.includes(Buffer.from([...Buffer.from('\n\ndata: '), 0xff, 0x80, 0xfe, 0x0a, 0x0a])));

    const open = await send(worker, message('[[text="x" nocomplete]]'));
    t.deepEqual(types(open.body), ['status', 'progress']);
    t.true(open.whole);

    const html = await send(worker, message('[[garbage]]'));
    t.regex(html.head, /^HTTP\/1.1 200 OK\r\n.*\r\nContent-Type: text\/html$/);
    const stream = await send(worker, message('[[garbage=stream]]'));
    t.regex(stream.head, /Content-Type: text\/event-stream$/);
    t.false(stream.body.includes('data:'));
  });
});

test('errors before the stream', async (t) => {
  await withWorker({}, async (worker) => {
    const busy = await send(worker, message('[[status=429]]'));
    t.is(
      busy.head,
      'HTTP/1.1 429 Too Many Requests\r\nContent-Length: 176\r\nContent-Type: application/json\r\nRetry-After: 5',
    );
    t.regex(busy.body.toString(), /"code":"CONCURRENT_REQUEST_REJECTED".*"retry_after_ms":5000/);
    t.regex((await send(worker, message('[[status=503 retryafter=0]]'))).head, /^HTTP\/1.1 503 [^]*Retry-After: 0$/);
    t.regex((await send(worker, message('[[status=502]]'))).body.toString(), /CLAUDE_API_ERROR/);
    t.notRegex((await send(worker, message('[[status=500]]'))).head, /Retry-After/);
  });
});

test('failtimes counts by Idempotency-Key, else by user and text', async (t) => {
  await withWorker({}, async (worker) => {
    const status = async (key: string | undefined, user_id = 'u1'): Promise<number> =>
      (
        await send(worker, message('[[status=503 failtimes=2]] x', { user_id }), {
          headers: key === undefined ? {} : { 'Idempotency-Key': key, 'X-Attempt': '7' },
        })
      ).status;
    t.deepEqual(
      [
        await status('a'),
        await status('b'),
        await status('a'),
        await status('a'),
        await status('b'),
        await status('b'),
      ],
      [503, 503, 503, 200, 503, 200],
    );
    t.deepEqual(
      [await status(undefined), await status(undefined, 'u2'), await status(undefined), await status(undefined)],
      [503, 503, 503, 200],
    );
    t.like(worker.calls[3], { idempotencyKey: 'a', attempt: 7, nth: 3, status: 200, user_id: 'u1' });
    t.is(worker.calls.at(-1)?.attempt, undefined);
  });
});

test('reset: no byte; midfail: broken after N', async (t) => {
  await withWorker({}, async (worker) => {
    const reset = await send(worker, message('[[reset]]'));
    t.deepEqual([reset.head, reset.error], ['', 'ECONNRESET']);
    for (const [text, expected] of [
      ['[[midfail=0]] a b c d', ['status']],
      ['[[midfail=2 text="a b c d e f"]]', ['status', 'progress', 'progress']],
      ['[[midfail=9 text="a"]]', ['status', 'progress']],
      ['[[midfail=2 text="a b c d e f" cut=1]]', ['status', 'progress', 'progress']],
    ] as const) {
      const got = await send(worker, message(text));
      t.deepEqual(types(got.body), [...expected], text);
      t.false(got.whole);
    }
    t.true(worker.calls.every((call) => call.endedAt !== undefined && !call.clientGone));
  });
});

test('hang and stall stay open until the client leaves', async (t) => {
  await withWorker({ keepaliveMs: 1 }, async (worker) => {
    for (const [n, text, expected] of [
      [1, '[[hang]]', ''],
      [2, '[[stall=1 text="a b c d"]]', 'status,progress'],
    ] as const) {
      const leave = new AbortController();
      const answered = send(worker, message(text), { signal: leave.signal });
      const call = await worker.onCall((one) => one.n === n);
      await worker.until(() => (call.sentData.length === (expected === '' ? 0 : 2) ? true : undefined));
      t.is(worker.open, 1);
      leave.abort();
      await answered;
      await ended(worker, n);
      t.true(call.clientGone);
      t.is(call.finishedAt, undefined);
      t.is(types(Buffer.from(call.sentData.join('\n\n'))).join(), expected);
    }
    t.is(worker.open, 0);
  });
});

test('keepalives while it works', async (t) => {
  await withWorker({ keepaliveMs: 5 }, async (worker) => {
    const leave = new AbortController();
    const answered = send(worker, message('[[ttft=900000]] slow'), { signal: leave.signal });
    await worker.until(() => (worker.calls[0]?.sentData.length ?? 0) > 2 || undefined);
    t.deepEqual(worker.calls[0]?.sentData.slice(0, 3), [
      '{"type":"status","message":"Processing your request..."}',
      '{"type":"keepalive"}',
      '{"type":"keepalive"}',
    ]);
    leave.abort();
    await answered;
  });
});

test('the work goes on, in the record, when the client leaves', async (t) => {
  await withWorker({}, async (worker) => {
    const leave = new AbortController();
    const answered = send(worker, message('[[text="a b c d" ttft=200 chunk=1]]'), { signal: leave.signal });
    const call = await worker.onCall();
    leave.abort();
    await answered;
    await worker.until(() => call.finishedAt);
    t.true(call.clientGone);
    t.is(call.sentData.length, 4);
    t.true((call.sentBeforeGone ?? 9) < 4);
    t.true((call.endedAt ?? Infinity) < (call.finishedAt ?? 0));
  });
});

test('overlaps, open calls and order are seen; one user’s calls are not kept apart', async (t) => {
  await withWorker({}, async (worker) => {
    const ab = new AbortController();
    const one = send(worker, message('[[hang]] 1', { user_id: 'a' }), { signal: ab.signal });
    await worker.waitForCalls(1);
    const other = await send(worker, message('2', { user_id: 'b' }));
    t.deepEqual(worker.overlaps(), []);
    const second = await send(worker, message('3', { user_id: 'a' }));
    t.is(lines(second.body)[0], '{"type":"status","message":"Queued — processing will begin shortly"}');
    t.deepEqual(types(other.body), ['status', 'progress', 'complete']);
    t.deepEqual(worker.overlaps(), ['a']);
    t.deepEqual([worker.maxOpen, worker.open], [2, 1]);
    ab.abort();
    await one;
    await ended(worker, 1);
    const group = { chat_type: 'group', chat_id: '-1', thread_id: '5', org: 'o' };
    await send(worker, message('4', { ...group, user_id: 'c' }));
    t.is(worker.calls[3]?.queue, 'group:o:-1:5');
    for (const call of worker.calls) t.true(call.startedAt < (call.endedAt ?? 0));
    worker.forget();
    t.deepEqual([worker.calls.length, worker.overlaps().length], [0, 0]);
  });
});

test('a client that leaves one call and then makes the next does not overlap, however close the two are', async (t) => {
  await withWorker({}, async (worker) => {
    for (let n = 1; n <= 20; n += 2) {
      const kept = connect(worker.port, '127.0.0.1');
      await once(kept, 'connect');
      const ab = new AbortController();
      const left = send(worker, message('[[hang]]'), { signal: ab.signal });
      await worker.waitForCalls(n);
      const body = JSON.stringify(message('next'));
      ab.abort();
      kept.write(`POST /api/v1/chat/stream HTTP/1.1\r\nHost: w\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      await left;
      await ended(worker, n + 1);
      kept.destroy();
    }
    t.deepEqual(worker.overlaps(), []);
    t.deepEqual(new Set(worker.calls.map((call) => call.clientGone)), new Set([true, false]));
  });
});

test('audio is steered by what it says; the hook overrules', async (t) => {
  await withWorker({}, async (worker) => {
    const audio = {
      client_id: 'w',
      user_id: 'u',
      message_type: 'audio',
      audio_format: 'ogg',
      audio_base64: Buffer.from('[[status=503]] hi').toString('base64'),
    };
    t.is((await send(worker, audio)).status, 503);
    worker.respond = (call) => (call.n === 2 ? { text: 'hooked' } : undefined);
    t.regex((await send(worker, audio)).body.toString(), /"responses":\["hooked"\]/);
    t.is((await send(worker, audio)).status, 503);
  });
});

test('down and up again on the same port', async (t) => {
  await withWorker({}, async (worker) => {
    const { port } = worker;
    const broken = send(worker, message('[[ttft=900000]] x'));
    await worker.until(() => worker.calls[0]?.sentData[0]);
    await worker.stop();
    await worker.stop();
    t.false((await broken).whole);
    t.is(worker.open, 0);
    t.like(worker.calls[0], { clientGone: false, finishedAt: undefined });
    t.is((await send(worker, message('x'))).error, 'ECONNREFUSED');
    await worker.start();
    t.is(worker.port, port);
    t.is((await send(worker, message('x'))).status, 200);
    t.is(worker.calls.length, 2);
  });
});

test('a port in use is an error; waiting on a closed worker is one too', async (t) => {
  const worker = await startSimulatedWorker();
  await t.throwsAsync(startSimulatedWorker({ port: worker.port }), { code: 'EADDRINUSE' });
  const waiting = t.throwsAsync(worker.waitForCalls(1), { message: /was closed/ });
  await worker.close();
  await worker.close();
  await waiting;
});

test('the command line: address, one line for a call, ends on a signal', async (t) => {
  const child = spawn(
    process.execPath,
    ['src/simulated-worker/main.ts', '--port', '0', '--ttft', '0', '--chunk', '0'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  const said = new EventEmitter();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    said.emit('more');
  });
  const printed = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(out);
      if (found) return found;
      await once(said, 'more');
    }
  };
  const port = Number((await printed(/http:\/\/127\.0\.0\.1:(\d+)\.\n/))[1]);
  t.is((await send({ port }, message('[[ttft=x]] hi'))).status, 200);
  await printed(/#1 u1 "\[\[ttft=x\]\] hi" -> 200, 3 events, \d+ ms ! ttft needs a whole number, not "x"\.\n/);
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [0, null]);
});
