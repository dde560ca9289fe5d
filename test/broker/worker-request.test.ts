import test from 'ava';
import { aSystem, STORES } from '../helpers/broker.ts';
import { aBody, theEnd } from '../helpers/client.ts';

/** As much audio as MAX_BODY_BYTES has room for by default. */
const AUDIO_BYTES = 25 * 1024 * 1024;

for (const kind of STORES) {
  test(`${kind}: the worker is sent a text message with every field it knows, and nothing else`, async (t) => {
    const { client, worker } = await aSystem(t, kind, {
      env: { WORKER_API_KEY: 'key-of-the-worker' },
      worker: { apiKey: 'key-of-the-worker' },
    });
    const handedOn = {
      user_id: 'ruth',
      client_id: 'telegram',
      message: ' In the beginning — 太初有道 📖\n',
      message_type: 'text',
      chat_type: 'supergroup',
      chat_id: -100123,
      thread_id: '7',
      speaker: 'Ruth',
      addressed_to_bot: true,
      response_language_hint: 'fr',
    };
    const { body } = await client.post(
      {
        ...handedOn,
        org_id: 'unfoldingWord',
        client_message_id: 'c-1',
        callback_url: null,
        if_busy: 'enqueue',
        audio_base64: null,
        something_else: 'ignored',
      },
      { 'idempotency-key': "the client's own", 'x-attempt': '9', authorization: "Bearer the client's own" },
    );
    const id = String(body['message_id']);
    t.like(theEnd(await client.all('group:unfoldingWord:-100123:7', id)), { event: 'done' });
    t.deepEqual(
      worker.calls.map((call) => call.body),
      [{ ...handedOn, org: 'unfoldingWord' }],
    );
    t.like(worker.calls[0]?.headers, headersOf(id));
  });

  test(`${kind}: the worker is sent an audio message, and again under the same key as the next attempt`, async (t) => {
    const { client, worker } = await aSystem(t, kind, {
      env: { WORKER_API_KEY: 'key-of-the-worker' },
      worker: { apiKey: 'key-of-the-worker' },
    });
    worker.respond = (call) => ({ text: 'heard', ...(call.nth === 1 ? { status: 503 } : {}) });
    const audio = {
      user_id: 'ruth',
      client_id: 'web',
      message_type: 'audio',
      audio_base64: Buffer.from('a voice').toString('base64'),
      audio_format: 'ogg',
    };
    const { body } = await client.post({ ...audio, org_id: 'unfoldingWord' });
    const id = String(body['message_id']);
    t.like(theEnd(await client.all('ruth', id)), { event: 'done' });
    const expected = { ...audio, org: 'unfoldingWord' };
    t.deepEqual(
      worker.calls.map((call) => call.body),
      [expected, expected],
    );
    t.like(worker.calls[0]?.headers, headersOf(id));
    t.like(worker.calls[1]?.headers, { ...headersOf(id), 'x-attempt': '2' });
  });

  test(`${kind}: without WORKER_API_KEY the worker is sent no key, least of all the client's`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const { body } = await client.post(aBody('u', 'hello'), { authorization: "Bearer the client's own" });
    await client.all('u', String(body['message_id']));
    t.is(worker.calls[0]?.headers.authorization, undefined);
    t.is(worker.calls[0]?.headers['x-api-key'], undefined);
  });

  test.serial(`${kind}: 25 MB of audio arrive whole, and another user is served meanwhile`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    worker.respond = (call) => (call.user_id === 'ruth' ? { text: 'heard', ttft: 60_000 } : undefined);
    const audio = Buffer.alloc(AUDIO_BYTES, 'In the beginning was the Word. ').toString('base64');
    const more = { message_type: 'audio', audio_base64: audio, audio_format: 'ogg' };
    const sending = client.send('ruth', '', more);
    t.like(theEnd(await client.all('boaz', await client.send('boaz', 'meanwhile'))), { event: 'done' });
    const id = await sending;
    // Its call is open now, and stays so until the worker is hurried.
    await client.streaming('ruth', id);
    t.like(theEnd(await client.all('boaz', await client.send('boaz', 'again'))), { event: 'done' });
    worker.hurry();
    t.like(theEnd(await client.all('ruth', id)), { event: 'done', status: 'completed' });
    const [call, ...others] = worker.calls.filter(({ user_id }) => user_id === 'ruth');
    t.is(others.length, 0);
    // Not compared by ava, which would print both.
    t.true(call?.body['audio_base64'] === audio);
  });
}

function headersOf(id: string): Record<string, string> {
  return {
    authorization: 'Bearer key-of-the-worker',
    'idempotency-key': id,
    'x-attempt': '1',
    accept: 'text/event-stream',
    'content-type': 'application/json',
  };
}
