import test, { type ExecutionContext } from 'ava';
import { isObject } from '../../src/json.ts';
import type { SimulatedWorker } from '../../src/simulated-worker/server.ts';
import { aBroker, aStore, aWorker, STORES, type StoreKind } from '../helpers/broker.ts';
import { fetchDocumented } from '../helpers/openapi.ts';
import { type EngineEvent, Gateway, type Place, WebClient } from './clients.ts';

const KEY = 'the-clients-key';
const WORKER_KEY = 'the-workers-key';

type System = { readonly worker: SimulatedWorker; readonly place: Place; readonly restart: () => Promise<void> };

/** Where a client can go: straight to the engine, or through a broker in front of it. */
async function direct(t: ExecutionContext): Promise<System> {
  const worker = await aWorker(t, { apiKey: KEY });
  return { worker, place: { url: worker.url, key: KEY, isEngine: true }, restart: async () => {} };
}

async function behindBroker(t: ExecutionContext, kind: StoreKind, more: Record<string, string> = {}): Promise<System> {
  const worker = await aWorker(t, { apiKey: WORKER_KEY });
  const env = {
    ...(await aStore(t, kind)),
    WORKER_BASE_URL: worker.url,
    WORKER_API_KEY: WORKER_KEY,
    BROKER_API_KEY: KEY,
    ...more,
  };
  let broker = await aBroker(t, env);
  const port = new URL(broker.url).port;
  const restart = async () => {
    await broker.stop();
    broker = await aBroker(t, { ...env, PORT: port });
  };
  return { worker, place: { url: broker.url, key: KEY }, restart };
}

/** The port is known before the broker is, whose settings name it. */
async function withGateway(t: ExecutionContext, system: (allowed: string) => Promise<System>, clientId: string) {
  const place: Place = { url: '', key: KEY };
  const gateway = await Gateway.start(t, place, clientId);
  const started = await system(gateway.host);
  Object.assign(place, started.place);
  return { gateway, ...started };
}

/** Messages that wait in the queue of `u`. */
async function waiting({ url, key }: Place): Promise<number> {
  const response = await fetchDocumented(`${url}/api/v1/queue/u`, { headers: { 'x-api-key': key } });
  const body: unknown = await response.json();
  return isObject(body) ? Number(body['queue_length']) : 0;
}

const TURNS = [
  '[[text="In the beginning"]] one',
  '[[tools=read_memory text="First sentence. Second one!"]] two',
  '[[fail=401]] three',
  '[[raw="{\\"type\\":\\"progress\\",\\"text\\":\\"\\u2028 \\ud83d\\ude00\\"}" text="odd"]] four',
];

async function types(events: AsyncIterable<EngineEvent>): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const event of events) if (event['type'] !== 'keepalive') seen.push(event);
  return seen;
}

for (const kind of STORES) {
  test(`${kind}: a web client sees the same through the broker as straight from the engine`, async (t) => {
    const [one, other] = [await direct(t), await behindBroker(t, kind)];
    for (const turn of TURNS) {
      const [straight, through] = await Promise.all(
        [one, other].map(({ place }) => types(new WebClient(place).stream('u', turn))),
      );
      t.deepEqual(normal(through), normal(straight), turn);
    }
  });

  test(`${kind}: five quick messages of a web client are answered in order, each with its own answer`, async (t) => {
    const { worker, place } = await behindBroker(t, kind);
    const client = new WebClient(place);
    const asked: Promise<unknown>[] = [];
    for (let n = 0; n < 5; n += 1) {
      asked.push(client.ask('u', `[[text="answer ${n}" ttft=${n === 0 ? 60_000 : 50 - 10 * n}]] question ${n}`));
      // Each goes over a connection of its own: only what was taken in before the next was sent has a place before it.
      if (n === 0) await worker.waitForCalls(1);
      else while ((await waiting(place)) < n);
    }
    worker.hurry();
    t.deepEqual(
      await Promise.all(asked),
      [0, 1, 2, 3, 4].map((n) => `answer ${n}`),
    );
    t.deepEqual(
      worker.calls.map(({ message }) => message.slice(-1)),
      ['0', '1', '2', '3', '4'],
    );
    t.deepEqual(worker.overlaps(), []);
  });

  test(`${kind}: who has to wait is told at once, and for how many`, async (t) => {
    const { worker, place } = await behindBroker(t, kind);
    const client = new WebClient(place);
    const first = client.ask('u', '[[text="one two three" ttft=60000]]');
    await worker.waitForCalls(1);
    const second = client.stream('u', 'second');
    t.deepEqual((await second.next()).value, { type: 'status', message: 'Queued — 1 ahead of you' });
    worker.hurry();
    t.is(await first, 'one two three');
    const rest = await types(second);
    t.like(rest.at(-1), { type: 'complete', response: { responses: ['second'] } });
  });

  test(`${kind}: leaving while queued or streaming loses nothing`, async (t) => {
    const { worker, place } = await behindBroker(t, kind);
    const client = new WebClient(place);
    const streaming = new AbortController();
    const queued = new AbortController();
    const first = client.stream('u', '[[text="one two" chunk=60000]] first', {}, streaming.signal);
    for await (const event of first) if (event['type'] === 'progress') break;
    const second = client.stream('u', '[[text="later"]] second', {}, queued.signal);
    t.like((await second.next()).value, { type: 'status' });
    queued.abort();
    streaming.abort();
    await t.throwsAsync(second.next());
    worker.hurry();
    await worker.waitForCalls(2);
    await worker.until(() => (worker.open === 0 ? true : undefined));
    const history = await fetchDocumented(`${place.url}/api/v1/orgs/unfoldingWord/users/u/history`, {
      headers: { authorization: `Bearer ${KEY}` },
    });
    const { entries }: { entries: EngineEvent[] } = JSON.parse(await history.text());
    t.deepEqual(
      entries.map(({ assistant_response }) => assistant_response),
      ['one two', 'later'],
    );
  });

  test(`${kind}: a web client whose broker stops while it waits is told so, and its message is answered`, async (t) => {
    const { worker, place, restart } = await behindBroker(t, kind, { SHUTDOWN_SECONDS: '0' });
    const client = new WebClient(place);
    const first = types(client.stream('u', '[[text="one two three" chunk=60000]] first'));
    await worker.waitForCalls(1);
    const second = client.stream('u', '[[text="later"]] second');
    t.like((await second.next()).value, { type: 'status' });
    // The second call of the first message is not slow any more.
    worker.respond = ({ message }) => ({ text: message });
    const restarted = restart();
    const rest = await types(second);
    t.deepEqual(rest, [
      {
        type: 'error',
        error: 'This broker is stopping. The message is kept and will be answered; ask for it in the history.',
      },
    ]);
    await Promise.all([first, restarted]);
    t.is(await client.ask('u', 'third'), 'third');
    t.deepEqual(
      worker.calls.map(({ message }) => message.split(' ').at(-1)),
      ['first', 'first', 'second', 'third'],
    );
  });

  test(`${kind}: /chat is held open for its turn and answers as the engine does`, async (t) => {
    const [one, other] = [await direct(t), await behindBroker(t, kind)];
    const clients = [new WebClient(one.place), new WebClient(other.place)];
    for (const [message, more] of [
      ['[[text="In the beginning"]]', {}],
      ['[[tools=read_memory text="Done."]]', {}],
      ['[[fail=529]]', {}],
      ['', { message: undefined, message_type: 'audio' }],
      ['', { message: undefined, message_type: 'audio', audio_base64: 'eA==', audio_format: 'aac' }],
      ['', { message: undefined, message_type: 'audio', audio_base64: 'IA==', audio_format: 'ogg' }],
    ] as const) {
      const [straight, through] = await Promise.all(clients.map((client) => client.final('u', message, more)));
      t.is(through?.status, straight?.status, message);
      t.deepEqual(normal(through?.body), normal(straight?.body), message);
    }
    const client = new WebClient(other.place);
    const both = [client.final('v', '[[text="one" ttft=100]]'), client.final('v', '[[text="two"]]')];
    for (const [index, answer] of (await Promise.all(both)).entries()) {
      t.like(answer, { status: 200, body: { responses: [['one', 'two'][index]] } }, 'busy is never an error');
    }
  });

  test(`${kind}: gateways are called back as by the engine itself, with their own key`, async (t) => {
    for (const [mode, clientId] of [
      ['iteration', 'whatsapp'],
      ['complete', 'telegram'],
      ['sentence', 'telegram'],
    ] as const) {
      const one = await withGateway(t, () => direct(t), clientId);
      const other = await withGateway(t, (host) => behindBroker(t, kind, { CALLBACK_ALLOW_HOSTS: host }), clientId);
      const heard: unknown[] = [];
      for (const { gateway } of [one, other]) {
        const turn = '[[tools=read_memory text="First sentence here. Second one! Third?"]] hello';
        const group = {
          progress_mode: mode,
          chat_type: 'supergroup',
          chat_id: '-100123',
          thread_id: '77',
          speaker: 'Ana',
        };
        t.is(await gateway.send('u', turn, 'key-1', group), 202);
        await gateway.ends(1);
        t.is(await gateway.send('u', '[[fail=401]] x', 'key-2', { progress_mode: mode }), 202);
        await gateway.ends(2);
        t.deepEqual(gateway.refused, []);
        heard.push(normal(gateway.heard));
      }
      t.deepEqual(heard[1], heard[0], mode);
    }
  });

  test(`${kind}: five quick messages of a gateway are answered in order, each once, through a restart of the broker`, async (t) => {
    const { gateway, worker, restart } = await withGateway(
      t,
      // A stop that broke off an attempt in hand would have it made again.
      (host) => behindBroker(t, kind, { CALLBACK_ALLOW_HOSTS: host, SHUTDOWN_SECONDS: '30' }),
      'whatsapp',
    );
    for (let n = 0; n < 5; n += 1) {
      const message = `[[text="answer ${n}" ttft=${n === 1 ? 60_000 : 5}]]`;
      t.is(await gateway.send('u', message, `key-${n}`, { progress_mode: 'complete' }), 202);
    }
    t.is(
      await gateway.send('u', 'again', 'key-0', { progress_mode: 'complete' }),
      202,
      'the same key is accepted once',
    );
    await worker.waitForCalls(2);
    const restarted = restart();
    worker.hurry();
    await restarted;
    worker.hurry();
    worker.respond = ({ message }) => ({ text: /answer \d/.exec(message)?.[0] ?? '' });
    // Whatever comes twice would have come by the end of another message behind them.
    await gateway.send('u', '[[text="answer 5"]]', 'key-5', { progress_mode: 'complete' });
    await gateway.ends(6);
    t.deepEqual(
      gateway.heard.map(({ type, text, message_key }) => [type, message_key, text]),
      [0, 1, 2, 3, 4, 5].map((n) => ['complete', `key-${n}`, `answer ${n}`]),
    );
  });

  test(`${kind}: what was told of progress is not told again by the broker that takes over`, async (t) => {
    const { gateway, worker, restart } = await withGateway(
      t,
      (host) => behindBroker(t, kind, { CALLBACK_ALLOW_HOSTS: host }),
      'telegram',
    );
    await gateway.send('u', '[[text="One. Two. Three." chunk=60000]]', 'key-1', { progress_mode: 'sentence' });
    await gateway.hears(({ type }) => type === 'progress');
    const before = gateway.heard.length;
    worker.respond = () => ({ text: 'Other words.' });
    await restart();
    await worker.waitForCalls(2);
    await gateway.ends(1);
    const after = gateway.heard.slice(before);
    t.like(after.at(-1), { type: 'complete', text: 'Other words.' });
    t.deepEqual(
      after.filter(({ text }) => String(text).startsWith('One.')),
      [],
    );
  });

  test(`${kind}: a gateway that is away gets every end later, in order, once each`, async (t) => {
    const { gateway, worker } = await withGateway(
      t,
      (host) => behindBroker(t, kind, { CALLBACK_ALLOW_HOSTS: host }),
      'telegram',
    );
    gateway.failing = true;
    for (let n = 0; n < 3; n += 1) await gateway.send('u', `[[text="answer ${n}"]]`, `key-${n}`);
    await worker.waitForCalls(3);
    gateway.failing = false;
    await gateway.ends(3);
    await gateway.send('u', '[[text="answer 3"]]', 'key-3');
    const ends = await gateway.ends(4);
    t.deepEqual(
      ends.map(({ text }) => text),
      ['answer 0', 'answer 1', 'answer 2', 'answer 3'],
    );
  });

  test(`${kind}: what was said before the end, and a gateway that was away did not hear, comes with the end`, async (t) => {
    const { gateway } = await withGateway(
      t,
      (host) => behindBroker(t, kind, { CALLBACK_ALLOW_HOSTS: host }),
      'whatsapp',
    );
    gateway.failing = true;
    await gateway.send('u', '[[tools=read_memory,execute_code text="The last part."]] q', 'key');
    await gateway.fails();
    gateway.failing = false;
    const [end] = await gateway.ends(1);
    t.regex(String(end?.['text']), /read_memory[^]*execute_code[^]*The last part\./);
    gateway.heard.length = 0;
    await gateway.send('u', '[[tools=read_memory text="The end."]] q', 'another');
    const [another] = await gateway.ends(1);
    t.is(another?.['text'], '\nThe end.');
  });

  test(`${kind}: a turn with nothing to say calls nobody back, and the next one does`, async (t) => {
    const { gateway } = await withGateway(
      t,
      (host) => behindBroker(t, kind, { CALLBACK_ALLOW_HOSTS: host }),
      'telegram',
    );
    const group = { chat_type: 'group', chat_id: '-1', speaker: 'Ben' };
    await gateway.send('u', 'ambient chatter', 'key-1', { ...group, addressed_to_bot: false });
    await gateway.send('u', '[[text="yes"]] bot?', 'key-2', { ...group, addressed_to_bot: true });
    t.deepEqual(
      (await gateway.ends(1)).map(({ message_key }) => message_key),
      ['key-2'],
    );
    t.true(gateway.heard.every(({ message_key }) => message_key === 'key-2'));
  });
}

test('faults of a request are told as the engine does', async (t) => {
  const { place } = await behindBroker(t, 'embedded');
  const post = async (path: string, body: unknown, key = KEY) => {
    const response = await fetchDocumented(`${place.url}/api/v1/chat${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: JSON.parse(await response.text()) };
  };
  const sound = { client_id: 'web', user_id: 'u', message: 'hello' };
  for (const type of ['text/plain;charset=UTF-8', 'application/x-www-form-urlencoded', '']) {
    const headers = { authorization: `Bearer ${KEY}`, ...(type ? { 'content-type': type } : {}) };
    const body = new TextEncoder().encode(JSON.stringify({ ...sound, speaker: { name: 'Ana' } }));
    const response = await fetchDocumented(`${place.url}/api/v1/chat`, { method: 'POST', headers, body });
    t.like({ status: response.status, body: JSON.parse(await response.text()) }, { status: 200 }, type);
  }
  const callback = { ...sound, progress_callback_url: 'https://gateway.example/', message_key: 'k' };
  t.deepEqual(await post('', sound, ''), {
    status: 401,
    body: { error: 'Authorization header with Bearer token required' },
  });
  t.deepEqual(await post('/stream', sound, 'wrong'), { status: 403, body: { error: 'Invalid API key' } });
  for (const [path, body, error] of [
    ['', { client_id: 'web' }, 'user_id is required'],
    ['/stream', { user_id: 'u' }, 'client_id is required'],
    ['', { ...sound, message_type: 'weird' }, 'message_type must be text or audio'],
    ['/stream', '{', 'Invalid JSON in request body'],
    ['', { ...sound, message_key: 'k' }, 'message_key is only supported on /api/v1/chat/callback'],
    ['/stream', { ...sound, progress_mode: 'x' }, 'progress_mode is only supported on /api/v1/chat/callback'],
    ['/callback', { ...callback, message_key: undefined }, 'message_key is required'],
    ['/callback', { ...callback, progress_callback_url: undefined }, 'progress_callback_url is required'],
    [
      '/callback',
      { ...callback, progress_callback_url: 'http://x.example/' },
      'progress_callback_url must be an https URL',
    ],
    [
      '/callback',
      { ...callback, progress_callback_url: 'https://192.168.0.1/' },
      'progress_callback_url must not be a private or otherwise non-public address',
    ],
    [
      '/callback',
      { ...callback, progress_mode: 'x' },
      'progress_mode must be one of iteration, sentence, periodic, complete',
    ],
  ] as const) {
    t.deepEqual(await post(path, body), { status: 400, body: { error } }, error);
  }
});

test('links to the worker lead to the public address of the broker', async (t) => {
  const { place, worker } = await behindBroker(t, 'embedded', { PUBLIC_URL: 'https://broker.example' });
  const client = new WebClient(place);
  const audio = { message: undefined, message_type: 'audio', audio_format: 'ogg' };
  const audio_base64 = Buffer.from('[[text="spoken"]]').toString('base64');
  const link = /^https:\/\/broker\.example\/api\/v1\/audio\//;
  const events = await types(client.stream('u', '', { ...audio, audio_base64 }));
  const complete = JSON.stringify(events.at(-1));
  t.regex(String(JSON.parse(complete).response.voice_audio_url), link);
  t.regex(String((await client.final('u', '', { ...audio, audio_base64 })).body['voice_audio_url']), link);
  const headers = { authorization: `Bearer ${KEY}` };
  const history = await (
    await fetchDocumented(`${place.url}/api/v1/orgs/unfoldingWord/users/u/history`, { headers })
  ).text();
  t.false(history.includes(worker.url));
  t.is(history.match(/https:\/\/broker\.example\/api\/v1\/(audio|voice-submissions)\//g)?.length, 4);
});

/** Without what differs from one run to the next. */
function normal(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value)
      .replaceAll(/"message_id":"[^"]+"/g, '"message_id":"id"')
      .replaceAll(/"timestamp":"[^"]+"/g, '"timestamp":"then"')
      .replaceAll(/req_fake_\d+/g, 'req_fake')
      .replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, 'http://engine'),
  );
}
