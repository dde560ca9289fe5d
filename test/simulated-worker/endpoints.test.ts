import test, { type ExecutionContext } from 'ava';
import { parseBody } from '../../src/simulated-worker/body.ts';
import { Callbacks } from '../../src/simulated-worker/callbacks.ts';
import { parseDirectives } from '../../src/simulated-worker/directives.ts';
import { planReply } from '../../src/simulated-worker/reply.ts';
import { readRequest } from '../../src/simulated-worker/request.ts';
import type { CallRecord, Directives, SimulatedWorker } from '../../src/simulated-worker/server.ts';
import { seeded } from '../../src/simulated-worker/wire.ts';
import { type Answered, lines, type Recorded, recordings, send, steady, withWorker } from './helpers.ts';
import { startReceiver } from './receiver.ts';

const KEY = { apiKey: 'local-engine-key' };

const replay = (worker: SimulatedWorker, { method, path, headers, body }: Recorded['request']): Promise<Answered> =>
  send(worker, body, { method, path, headers });

/** The same head and body, but for ids; `ETag` and ranges are the simulated worker's own. */
function same(t: ExecutionContext, got: Answered, recorded: Recorded): void {
  const fakeId = recorded.body.includes('req_fake');
  const head = (text: string): string =>
    text
      .replace(/\r\n(?:ETag|Accept-Ranges): .*/g, '')
      .replace(/Content-Length: \d+/, (length) => (fakeId ? 'Content-Length' : length));
  t.is(head(got.head), head(recorded.head), recorded.title);
  t.is(steady(got.body.toString()), steady(recorded.body), recorded.title);
}

const find = (all: readonly Recorded[], title: string): Recorded => {
  const found = all.find((one) => one.title.startsWith(title));
  if (found === undefined) throw new Error(`There is no recording "${title}".`);
  return found;
};

test('03 and 09: the final JSON, and what stands for it when the model fails', async (t) => {
  const all = [...recordings('03-stream-tools.txt'), ...recordings('09-model-failures.txt')].filter(
    ({ request }) => request.path === '/api/v1/chat',
  );
  t.is(all.length, 4);
  await withWorker(KEY, async (worker) => {
    for (const recorded of all) same(t, await replay(worker, recorded.request), recorded);
    t.is(worker.calls.length, 0);
  });
});

test('07: one /chat of a user at a time, and only /chat', async (t) => {
  const all = recordings('07-concurrent-chat-429.txt');
  const [first, second, stream] = [find(all, '/chat #1'), find(all, '/chat #2'), find(all, '/chat/stream')];
  const respond = ({ endpoint, message }: CallRecord): Directives | undefined =>
    endpoint === 'stream' ? { ...parseDirectives(message).directives, ttft: 0 } : undefined;
  await withWorker({ ...KEY, respond }, async (worker) => {
    const one = replay(worker, first.request);
    await worker.until(() => worker.requests[0]);
    same(t, await replay(worker, second.request), second);
    const other = { ...second.request, body: second.request.body.replace('u-conc', 'u-other') };
    t.is((await replay(worker, other)).status, 200);
    const streamed = await replay(worker, stream.request);
    t.is(streamed.head, stream.head);
    t.deepEqual(lines(streamed.body), stream.events);
    worker.hurry();
    same(t, await one, first);
    t.is((await replay(worker, second.request)).status, 200);
    const path = `/api/v1/orgs/unfoldingWord/users/${worker.calls[0]?.user_id}/history`;
    const history = await replay(worker, { ...first.request, method: 'GET', path, body: '' });
    t.deepEqual(history.body.toString().match(/(?<="assistant_response":")[^"]*/g), ['three via stream', 'one', 'two']);
  });
});

test('13: a group’s history, in the order in which its turns ended', async (t) => {
  const all = recordings('13-group.txt');
  await withWorker(KEY, async (worker) => {
    let held: Promise<Answered> | undefined;
    for (const recorded of all) {
      const { title, request } = recorded;
      if (title === 'user Ana in group') {
        held = replay(worker, request);
        await worker.waitForCalls(3);
        continue;
      }
      if (request.method === 'GET') {
        worker.hurry();
        await held;
      }
      const got = await replay(worker, request);
      if (request.path !== '/api/v1/chat/stream') same(t, got, recorded);
    }
  });
});

test('14: voice messages on every endpoint, what can be fetched of them, and their history', async (t) => {
  const all = recordings('14-audio.txt');
  await using receiver = await startReceiver();
  await withWorker(KEY, async (worker) => {
    /** The paths that this worker has given, by what is steady in them; the oldest counts, as in the recording. */
    const own = new Map<string, string>();
    for (const recorded of all) {
      const { request, callbacks } = recorded;
      const path = own.get(steady(request.path)) ?? request.path;
      const body = request.body.replace('http://127.0.0.1:18790/__callback', receiver.url);
      const got = await replay(worker, { ...request, path, body });
      if (request.path !== '/api/v1/chat/stream') same(t, got, recorded);
      for (const [, found = ''] of got.body.toString().matchAll(/http:\/\/[^/"]+(\/[^"]+)/g))
        if (!own.has(steady(found))) own.set(steady(found), found);
      if (callbacks.length === 0) continue;
      await worker.until(() => worker.callbacks[callbacks.length - 1]?.endedAt);
      t.deepEqual(
        receiver.received.map((one) => steady(one.body)),
        callbacks.map(steady),
      );
    }
    t.is(all.filter(({ request }) => request.method === 'GET').length, 4);
    const hosted = worker.calls.find((call) => call.headers.host === 'broker.example:9999');
    t.regex(hosted?.sentData.at(-1) ?? '', /"http:\/\/broker\.example:9999\/api\/v1\/audio\/audio\//);
  });
});

test('10: every mode of callbacks, their fields in order, failures, groups; nothing to say says nothing', async (t) => {
  const all = recordings('10-callback.txt').filter(({ title }) => !title.includes('periodic'));
  t.is(all.length, 8);
  for (const recorded of all) {
    const { title, request, callbacks } = recorded;
    await using receiver = await startReceiver(title.includes('500') ? 500 : 200);
    const respond = ({ message }: CallRecord): Directives => ({ ...parseDirectives(message).directives, chunk: 0 });
    await withWorker({ ...KEY, respond }, async (worker) => {
      const body = request.body.replace('http://127.0.0.1:18790/__callback', receiver.url);
      same(t, await replay(worker, { ...request, body }), recorded);
      await worker.until(
        () => worker.callbacks.filter((one) => one.endedAt !== undefined).length === callbacks.length || undefined,
      );
      t.deepEqual(
        receiver.received.map((one) => steady(one.body)),
        callbacks.map(steady),
        title,
      );
      t.deepEqual(
        worker.callbacks.map((one) => JSON.stringify(one.body)),
        receiver.received.map((one) => one.body),
      );
      for (const { method, path, headers } of receiver.received) {
        t.deepEqual([method, path], ['POST', '/__callback']);
        t.deepEqual(
          headers.map(([name]) => name).filter((name) => name !== 'Connection'),
          ['Content-Length', 'Host', 'Content-Type', 'CF-Worker', 'X-Engine-Token'],
        );
        t.like(Object.fromEntries(headers), {
          'Content-Type': 'application/json',
          'CF-Worker': 'bt-servant-worker.example.com',
          'X-Engine-Token': 'local-engine-key',
        });
      }
      // Once a later turn of another queue has told all it has to tell, no retry of this one is still to come.
      const later = JSON.stringify({
        ...JSON.parse(body),
        chat_type: 'private',
        message: 'later',
        progress_mode: 'complete',
      });
      await replay(worker, { ...request, body: later });
      await worker.until(() => worker.callbacks[callbacks.length]?.endedAt);
      t.is(receiver.received.length, callbacks.length + 1);
    });
  }
});

test('10: periodic callbacks, when the time between two is over', (t) => {
  const recorded = find(recordings('10-callback.txt'), 'callback mode periodic');
  const chat = readRequest(parseBody(recorded.request.body), 'callback');
  if (typeof chat === 'string' || chat.order === undefined) return t.fail();
  t.is(chat.order.throttleMs, 1000);
  const { directives, rest } = parseDirectives(chat.text);
  const setting = { ttftMs: 0, chunkMs: 0, jitterMs: 0, random: seeded(1), origin: 'http://w', busy: false, n: 1 };
  const plan = planReply(chat, directives, rest, setting);
  if (plan.kind !== 'stream') return t.fail();
  const told: string[] = [];
  const callbacks = new Callbacks(chat, chat.order, (body) => void told.push(JSON.stringify(body)));
  for (const { event } of plan.steps) {
    // The recorded ticks: while the first iteration ends, and before the last event.
    const executing = event?.type === 'status' && event.message.startsWith('Executing');
    if (executing || event?.type === 'complete') callbacks.tick();
    if (event !== undefined) callbacks.take(event);
  }
  t.deepEqual(told.map(steady), recorded.callbacks.map(steady));
});
