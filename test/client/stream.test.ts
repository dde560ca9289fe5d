import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { BrokerClient, type BrokerError, type BrokerEvent } from '../../src/client/index.ts';
import { TcpProxy } from '../faults/proxy.ts';
import { aBroker, aSystem } from '../helpers/broker.ts';
import { aBody } from '../helpers/client.ts';
import { aServer, asTheyShouldBe, stored, TEXT } from './helpers.ts';

const SLOW = `[[text="${TEXT}" events=40 chunk=25]]`;

test('a message is told from its place in the queue to its end, before, during and after the work', async (t) => {
  const { url, client } = await aSystem(t, 'embedded');
  const broker = new BrokerClient({ url });
  const first = await client.send('u', SLOW);
  const second = await broker.send(aBody('u', `[[text="${TEXT}" tools=read_memory]]`));
  t.like(second, { status: 'queued', queue_position: 1 });

  const events = await Array.fromAsync(broker.stream({ userId: 'u', messageId: second.message_id }));
  const log = asTheyShouldBe(await client.all('u', second.message_id));
  t.deepEqual(stored(events), log);
  t.deepEqual(await Array.fromAsync(broker.stream({ streamUrl: second.stream_url })), log);
  const from = { userId: 'u', messageId: second.message_id, lastEventId: 3 };
  t.deepEqual(await Array.fromAsync(broker.stream(from)), log.slice(3));
  t.deepEqual(await Array.fromAsync(broker.stream({ ...from, lastEventId: log.length })), []);

  const texts = events.map(
    (event) => event.type === 'worker' && event.engine?.type === 'progress' && event.engine.text,
  );
  t.true(texts.filter(Boolean).join('').endsWith(TEXT));
  const [complete] = events.flatMap((event) =>
    event.type === 'worker' && event.engine?.type === 'complete' ? [event.engine.response] : [],
  );
  t.is(Array.isArray(complete?.responses) && complete.responses.at(-1), TEXT);
  t.is((await broker.message('u', first)).status, 'completed');
});

test('who leaves the loop, or aborts, leaves at once and stops nothing', async (t) => {
  const { url, worker } = await aSystem(t, 'embedded');
  const broker = new BrokerClient({ url });
  const leave = new AbortController();
  const reason = new Error('enough');
  const seen: BrokerEvent[] = [];
  const reading = async () => {
    for await (const event of broker.sendAndStream(aBody('u', SLOW), { signal: leave.signal })) {
      seen.push(event);
      if (event.type === 'worker') leave.abort(reason);
    }
  };
  t.is(await t.throwsAsync(reading), reason);
  const id = String(worker.calls[0]?.idempotencyKey);
  for await (const { type } of broker.stream({ userId: 'u', messageId: id })) if (type === 'worker') break;

  t.is((await broker.message('u', id)).status, 'processing');
  const rest = await Array.fromAsync(
    broker.stream({ userId: 'u', messageId: id, lastEventId: stored(seen).at(-1)?.id }),
  );
  t.is(rest.at(-1)?.type, 'done');
  t.is(worker.calls.length, 1);
  await t.throwsAsync(broker.queue('u', { signal: leave.signal }), { is: reason });
});

test('a broker that is away for a while is found again, and its answers that never came are asked for again', async (t) => {
  const { url, client, worker } = await aSystem(t, 'embedded');
  await using proxy = await TcpProxy.start(Number(new URL(url).port));
  const broker = new BrokerClient({ url: `http://127.0.0.1:${proxy.port}`, idleMs: 500 });
  const events: BrokerEvent[] = [];
  for await (const event of broker.sendAndStream(aBody('u', SLOW))) {
    events.push(event);
    if (events.length === 5) {
      proxy.cut();
      void delay(300).then(() => proxy.heal());
    }
    // Silence, on connections that stay open.
    if (events.length === 15) {
      proxy.hold(['to', 'from']);
      void delay(900).then(() => proxy.heal());
    }
  }
  t.deepEqual(stored(events), asTheyShouldBe(await client.all('u', String(worker.calls[0]?.idempotencyKey))));
});

test('a broker that starts again goes on where it was', async (t) => {
  const { url, env, stop } = await aSystem(t, 'embedded');
  const broker = new BrokerClient({ url });
  const events: BrokerEvent[] = [];
  let again: ReturnType<typeof aBroker> | undefined;
  for await (const event of broker.sendAndStream(aBody('u', '[[text="one two three four" hang=1 failtimes=1]]'))) {
    events.push(event);
    if (event.type === 'processing' && event.attempt === 1) {
      again = stop().then(() => aBroker(t, { ...env, PORT: new URL(url).port }));
    }
  }
  const client = (await again)?.client;
  const [first] = events;
  const id = first?.type === 'queued' ? first.message_id : '';
  t.true(events.some(({ type }) => type === 'retrying'));
  t.deepEqual(stored(events), asTheyShouldBe((await client?.all('u', id)) ?? []));
});

test('a failed message ends with an error event, and one that is retried is told anew', async (t) => {
  const { url } = await aSystem(t, 'embedded');
  const broker = new BrokerClient({ url });
  const events = await Array.fromAsync(broker.sendAndStream(aBody('u', '[[status=400 failtimes=1 text="well"]] Hi')));
  const end = events.at(-1);
  t.like(end, { type: 'error', status: 'failed', code: 'worker_rejected' });
  const id = end?.type === 'error' ? end.message_id : '';

  const retried = await broker.retry('u', id);
  if (retried.status !== 'queued') return t.fail();
  const anew = await Array.fromAsync(broker.stream({ streamUrl: retried.stream_url }));
  t.like(anew[0], { type: 'queued', id: (end?.id ?? 0) + 1 });
  t.is(anew.at(-1)?.type, 'done');
  // Who has read half of the old log goes on with the new one.
  const half = { userId: 'u', messageId: id, lastEventId: 1 };
  t.deepEqual(stored(await Array.fromAsync(broker.stream(half))), stored(anew));
});

test('the same position and an event of an unknown kind are not told, an event that is left out is a fault', async (t) => {
  const pages = [
    [
      'id: 1\nevent: queued\ndata: {"message_id":"m","queue_position":2}\n\n',
      'event: queued\ndata: {"message_id":"m","queue_position":1}\n\nid: 2\nevent: news\ndata: {}\n\n',
    ],
    ['event: queued\ndata: {"message_id":"m","queue_position":1}\n\nid: 3\ndata: {"type":"dance"}\n\n'],
    ['id: 5\ndata: {}\n\n'],
  ];
  const asked: (string | undefined)[] = [];
  const url = await aServer(t, (request, response) => {
    asked.push(request.url);
    response.setHeader('Content-Type', 'text/event-stream');
    response.end(`retry: 1\n\n${pages.shift()?.join('')}`);
  });
  const events: BrokerEvent[] = [];
  const reading = async () => {
    for await (const event of new BrokerClient({ url: `${url}/broker/` }).stream({ userId: 'u 1', messageId: 'm' }))
      events.push(event);
  };
  await t.throwsAsync(reading, { name: 'BrokerError', code: 'stream_broken', message: /5 came after event 3/ });
  t.deepEqual(events, [
    { type: 'queued', id: 1, message_id: 'm', queue_position: 2 },
    { type: 'queued', id: undefined, message_id: 'm', queue_position: 1 },
    { type: 'worker', id: 3, data: '{"type":"dance"}', engine: undefined },
  ]);
  const path = '/broker/api/v1/stream?user_id=u+1&message_id=m';
  t.deepEqual(asked, [path, `${path}&last_event_id=2`, `${path}&last_event_id=3`]);
});

const NOTHING = 'retry: 1\n\n';
const QUEUED = 'event: queued\ndata: {"message_id":"m","queue_position":1}\n\n';
const DONE = 'event: done\ndata: {"message_id":"m","status":"completed"}\n\n';
const ONE = { userId: 'u', messageId: 'm' };

/** A broker of event streams, each of which ends after its text; the last one is told again and again. Answers what was asked. */
async function aTeller(t: ExecutionContext, ...streams: readonly string[]) {
  const asked: string[] = [];
  const url = await aServer(t, ({ url: path = '' }, response) => {
    asked.push(path);
    const text = streams[Math.min(asked.length, streams.length) - 1];
    response.setHeader('Content-Type', 'text/event-stream').end(text);
  });
  return { url, asked };
}

test('once it is aborted no event comes any more, also none that is here already', async (t) => {
  const { url } = await aTeller(t, `id: 1\n${QUEUED}id: 2\n${DONE}`);
  const leave = new AbortController();
  const events = new BrokerClient({ url }).stream({ ...ONE, signal: leave.signal });
  await events.next();
  const reason = new Error('enough');
  leave.abort(reason);
  t.is(await t.throwsAsync(events.next()), reason);
  t.deepEqual(await events.next(), { done: true, value: undefined });
});

test('who returns while an event is waited for leaves at once', async (t) => {
  for (const answered of [true, false]) {
    const left = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const url = await aServer(t, ({ method }, response) => {
      response.once('close', left.resolve);
      if (answered) {
        response.setHeader('Content-Type', 'text/event-stream').write(`id: 1\n${QUEUED}`);
      }
      asked.resolve();
      t.is(method, answered ? 'GET' : 'POST');
    });
    const broker = new BrokerClient({ url });
    const events = answered ? broker.stream(ONE) : broker.sendAndStream(aBody('u', 'Hi'));
    if (answered) t.like(await events.next(), { done: false });
    const next = events.next();
    await asked.promise;
    t.deepEqual(await events.return(), { done: true, value: undefined });
    t.deepEqual(await next, { done: true, value: undefined });
    await left.promise;
  }
});

test('patience runs from what failed first, not while an event is worked on', async (t) => {
  const { url, asked } = await aTeller(t, `${NOTHING}id: 1\n${QUEUED}`, `id: 2\n${DONE}`);
  const types: string[] = [];
  const breaks: string[] = [];
  const onReconnect = ({ code }: BrokerError) => void breaks.push(code);
  for await (const { type } of new BrokerClient({ url, patienceMs: 500 }).stream({ ...ONE, onReconnect })) {
    types.push(type);
    await delay(600);
  }
  t.deepEqual(types, ['queued', 'done']);
  t.deepEqual(breaks, ['stream_broken']);
  t.is(asked.length, 2);
});

test('a log that is shorter than what was read of it is a fault: nothing of it is left out or joined in silence', async (t) => {
  const cutShort = { name: 'BrokerError', code: 'log_cut_short' };
  const said = (id: number) => `id: ${id}\ndata: {"type":"progress","text":"${id}"}\n\n`;
  const before = `${NOTHING}id: 1\n${QUEUED}${said(2)}${said(3)}${said(4)}`;
  const { url } = await aTeller(t, before, `${said(3)}${said(4)}${said(5)}id: 6\n${DONE}`);
  const events: BrokerEvent[] = [];
  const reading = async () => {
    for await (const event of new BrokerClient({ url }).stream(ONE)) events.push(event);
  };
  await t.throwsAsync(reading, cutShort);
  t.is(events.length, 4);

  // The end is not the one after event 99.
  const running = await aTeller(t, `id: 5\n${DONE}`);
  await t.throwsAsync(new BrokerClient({ url: running.url }).stream({ ...ONE, lastEventId: 99 }).next(), cutShort);

  const streams = [NOTHING + said(1)];
  const ended = await aServer(t, (_request, response) => {
    const text = streams.shift();
    response
      .setHeader('Content-Type', 'text/event-stream')
      .writeHead(text ? 200 : 204)
      .end(text);
  });
  const lost = Array.fromAsync(new BrokerClient({ url: ended }).stream(ONE));
  await t.throwsAsync(lost, cutShort);
});

test('with little patience it is tried again once, with none not at all', async (t) => {
  for (const [patienceMs, tries] of [
    [0, 1],
    [1, 2],
  ] as const) {
    const { url, asked } = await aTeller(t, '');
    await t.throwsAsync(new BrokerClient({ url, patienceMs }).stream(ONE).next(), { code: 'stream_broken' });
    t.true(patienceMs ? asked.length >= tries : asked.length === tries, `${asked.length}`);
  }
});

test('streams that bring nothing are given up, in pauses that grow', async (t) => {
  const { url, asked } = await aTeller(t, `${NOTHING}id: 1\n${QUEUED}`, NOTHING);
  const stream = new BrokerClient({ url, patienceMs: 200 }).stream(ONE);
  await t.throwsAsync(Array.fromAsync(stream), { code: 'stream_broken' });
  // 1, 2, 4 … ms, at least half of each.
  t.true(asked.length <= 11, `${asked.length}`);
});

test('what is passing on a stream is tried again, though a message would not be sent again', async (t) => {
  const statuses = [200, 408, 425, 429, 502];
  const url = await aServer(t, ({ method }, response) => {
    const status = method === 'GET' ? (statuses.shift() ?? 200) : 429;
    response.writeHead(status, { 'Content-Type': 'text/event-stream', 'Retry-After': '0' });
    response.end(statuses.length ? NOTHING : `id: 1\n${DONE}`);
  });
  const broker = new BrokerClient({ url });
  t.is((await Array.fromAsync(broker.stream(ONE))).length, 1);
  await t.throwsAsync(broker.send(aBody('u', 'Hi')), { code: 'unexpected_answer' });
});

test('it does not come back before the broker says: Retry-After, retry', async (t) => {
  const times: number[] = [];
  const url = await aServer(t, (_request, response) => {
    times.push(performance.now());
    if (times.length === 1) response.writeHead(503, { 'Retry-After': '2' }).end();
    else if (times.length === 2) {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).end('retry: 6000\n\n');
    } else response.setHeader('Content-Type', 'text/event-stream').end(`id: 1\n${QUEUED}id: 2\n${DONE}`);
  });
  t.is((await Array.fromAsync(new BrokerClient({ url }).stream(ONE))).length, 2);
  const [first = 0, second = 0, third = 0] = times;
  // By itself it would come back after about a second. Of `retry` it waits at least half, so that not all come at once.
  t.true(second - first >= 1995, `${second - first}`);
  t.true(third - second >= 2995, `${third - second}`);
});
