import test from 'ava';
import { type Answered, message, send, withWorker } from './helpers.ts';
import { startReceiver } from './receiver.ts';

const FINAL = '/api/v1/chat';
const CALLBACK = '/api/v1/chat/callback';

const shown = ({ status, body }: Answered): string =>
  `${status} ${body.toString().replace(/(?<="message_id":")[-0-9a-f]{36}/, 'ID')}`;

test('what /chat and /chat/callback refuse', async (t) => {
  await withWorker({}, async (worker) => {
    const order = { progress_callback_url: 'http://127.0.0.1:1/x', message_key: 'k' };
    const ask = async (path: string, body: unknown): Promise<string> => shown(await send(worker, body, { path }));
    for (const path of [FINAL, CALLBACK]) {
      t.is(await ask(path, '{'), '400 {"error":"Invalid JSON in request body"}');
      t.is(await ask(path, {}), '400 {"error":"user_id is required"}');
      t.is(await ask(path, { user_id: 'u' }), '400 {"error":"client_id is required"}');
    }
    for (const field of ['progress_callback_url', 'progress_mode', 'progress_throttle_seconds', 'message_key'])
      t.is(
        await ask(FINAL, message('x', { [field]: 1 })),
        `400 {"error":"${field} is only supported on /api/v1/chat/callback"}`,
      );
    t.is(
      await ask(FINAL, message('')),
      '400 {"error":"ValidationError","code":"VALIDATION_ERROR","message":"Message is required"}',
    );
    for (const [more, error] of [
      [{ progress_callback_url: undefined }, 'progress_callback_url is required'],
      [{ progress_callback_url: 'ftp://x' }, 'progress_callback_url must be an http or https URL'],
      [{ progress_callback_url: 'x' }, 'progress_callback_url must be an http or https URL'],
      [{ message_key: undefined }, 'message_key is required'],
      [{ progress_mode: 'often' }, 'progress_mode must be one of complete, iteration, periodic, sentence'],
      [{ progress_throttle_seconds: 0 }, 'progress_throttle_seconds must be a positive number'],
    ] as const)
      t.is(await ask(CALLBACK, message('x', { ...order, ...more })), `400 {"error":"${error}"}`);
    t.is(worker.requests.at(-1)?.status, 400);
    t.deepEqual(worker.callbacks, []);
  });
});

test('directives, and the hook, steer a /chat too', async (t) => {
  await withWorker({}, async (worker) => {
    const ask = (text: string): Promise<Answered> => send(worker, message(text), { path: FINAL });
    t.is(
      shown(await ask('[[text="a b c d e" tools=x]]')),
      '200 {"message_id":"ID","responses":["Let me check with x (step 1).","a b c d e"],"response_language":"en","voice_audio_base64":null,"voice_audio_url":null}',
    );
    t.deepEqual(
      [(await ask('[[status=503 failtimes=1]]')).status, (await ask('[[status=503 failtimes=1]]')).status],
      [503, 200],
    );
    t.regex(
      shown(await ask('[[midfail=reset]] a')),
      /^502 \{"error":"ClaudeAPIError",.*"message":"Network connection lost\."\}$/,
    );
    for (const text of ['[[reset]]', '[[midfail=1]] a b c', '[[nocomplete]]'])
      t.is((await ask(text)).error, 'ECONNRESET', text);
    worker.respond = ({ endpoint }) => (endpoint === 'final' ? { text: 'hooked' } : undefined);
    t.regex(shown(await ask('x')), /"responses":\["hooked"\]/);
    t.regex((await send(worker, message('x'))).body.toString(), /"responses":\["x"\]/);
    t.is(worker.calls.length, 1);
  });
});

test('a /chat keeps its user’s next one out until its work is over, or the client of one that stalls has left', async (t) => {
  await withWorker({}, async (worker) => {
    for (const [at, text] of ['[[stall=1]] a', '[[ttft=900000]] a'].entries()) {
      const user = { user_id: `u${at}` };
      const leave = new AbortController();
      const held = send(worker, message(text, user), { path: FINAL, signal: leave.signal });
      const record = await worker.until(() => worker.requests[at * 3]);
      t.is((await send(worker, message('b', user), { path: FINAL })).status, 429);
      leave.abort();
      await held;
      await worker.until(() => record.endedAt);
      t.true(record.aborted);
      // The engine does not notice that a client has gone.
      const then = await send(worker, message('c', user), { path: FINAL });
      t.is(then.status, at === 0 ? 200 : 429);
    }
  });
});

test('the worker goes down in the middle of a /chat and of callbacks', async (t) => {
  await using receiver = await startReceiver();
  await withWorker({}, async (worker) => {
    const order = { progress_callback_url: receiver.url, message_key: 'k', progress_mode: 'periodic' };
    const held = send(worker, message('[[ttft=900000]] a'), { path: FINAL });
    t.is((await send(worker, message('[[ttft=900000]] a', order), { path: CALLBACK })).status, 202);
    await worker.until(() => worker.callbacks[0]?.endedAt);
    await worker.stop();
    t.false((await held).whole);
    await worker.start();
    t.is((await send(worker, message('b'), { path: FINAL })).status, 200);
    t.is(receiver.received.length, 1);
  });
});

test('callbacks of one user’s messages run at once, each message’s in order', async (t) => {
  await using receiver = await startReceiver();
  await withWorker({}, async (worker) => {
    const ask = (text: string, message_key: string): Promise<Answered> =>
      send(worker, message(text, { progress_callback_url: receiver.url, message_key, progress_mode: 'complete' }), {
        path: CALLBACK,
      });
    await ask('[[ttft=900000]] slow', 'k1');
    await ask('quick', 'k2');
    await worker.until(() => worker.callbacks[0]?.endedAt);
    worker.hurry();
    await worker.until(() => worker.callbacks[1]?.endedAt);
    t.deepEqual(
      worker.callbacks.map(({ url, token, status, body }) => [url, token, status, body['message_key'], body['text']]),
      [
        [receiver.url, undefined, 200, 'k2', 'quick'],
        [receiver.url, undefined, 200, 'k1', 'slow'],
      ],
    );
    worker.forget();
    t.deepEqual(worker.callbacks, []);
  });
});

test('a progress callback whenever the time between two is over and there is more text', async (t) => {
  await using receiver = await startReceiver();
  await withWorker({}, async (worker) => {
    const order = { progress_mode: 'periodic', progress_throttle_seconds: 0.01 };
    const body = message('[[tools=x ttft=900000 text="the end"]]', {
      ...{ progress_callback_url: receiver.url, message_key: 'k', ...order },
    });
    await send(worker, body, { path: CALLBACK });
    await worker.until(() => worker.callbacks[0]?.endedAt);
    worker.hurry();
    await worker.until(() =>
      worker.callbacks.find((one) => one.body['type'] === 'progress' && one.endedAt !== undefined),
    );
    worker.hurry();
    await worker.until(() =>
      worker.callbacks.find((one) => one.body['type'] === 'complete' && one.endedAt !== undefined),
    );
    t.deepEqual(
      worker.callbacks.map(({ body: { type, text, message: status } }) => `${type} ${text ?? status}`),
      [
        'status Processing your request...',
        'status Executing 1 tool(s)...',
        'status Preparing your response...',
        'progress Let me check with x (step 1).\n',
        'complete Let me check with x (step 1).\nthe end',
      ],
    );
  });
});

test('a callback URL where nobody listens changes nothing', async (t) => {
  const receiver = await startReceiver();
  await receiver[Symbol.asyncDispose]();
  await withWorker({}, async (worker) => {
    const order = { progress_callback_url: receiver.url, message_key: 'k' };
    await send(worker, message('x', order), { path: CALLBACK });
    await worker.until(() => worker.callbacks[1]?.endedAt);
    t.deepEqual(
      worker.callbacks.map(({ status }) => status),
      [undefined, undefined],
    );
    const history = await send(worker, '', { method: 'GET', path: '/api/v1/orgs/unfoldingWord/users/u1/history' });
    t.regex(history.body.toString(), /"total_count":1/);
  });
});
