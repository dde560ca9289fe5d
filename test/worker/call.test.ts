import { once } from 'node:events';
import { createServer } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test, { type ExecutionContext } from 'ava';
import type { WorkerSettings } from '../../src/worker/worker.ts';
import { aCaller, aMessageOf } from '../helpers/caller.ts';
import { aScriptedWorker, COMPLETE } from '../helpers/scripted-worker.ts';

const PROGRESS = { type: 'progress', text: 'In the beginning' };
/** Long enough for whatever is on its way between two ends of a connection to have come. */
const LOOKS = 20;

async function aCall(t: ExecutionContext, settings: Partial<WorkerSettings> = {}) {
  const script = await aScriptedWorker(t);
  const worker = aCaller(t, script.url, settings);
  const call = worker.call(aMessageOf('u'));
  return { script, worker, call, scripted: await script.call(1) };
}

test('what a worker says before it breaks off is read, then that it broke off', async (t) => {
  const { worker, call, scripted } = await aCall(t);
  scripted.say(PROGRESS);
  scripted.say(PROGRESS);
  t.deepEqual(await worker.opened(call), { type: 'opened' });
  scripted.response.destroy();
  for (let look = 0; look < LOOKS; look += 1) await worker.healthy();
  const read: string[] = [];
  const all = async () => {
    for (;;) read.push(...((await call.read()) ?? []).map(({ data }) => data));
  };
  t.like(worker.broken(await t.throwsAsync(all)), { status: 'failed', code: 'worker_stream_broken' });
  t.deepEqual(
    read,
    [PROGRESS, PROGRESS].map((event) => JSON.stringify(event)),
  );
});

test('a call that is closed breaks its connection off, and gives no event more, not even one that had come', async (t) => {
  const { worker, call, scripted } = await aCall(t);
  scripted.say(PROGRESS, COMPLETE);
  t.deepEqual(await worker.opened(call), { type: 'opened' });
  call.close();
  await scripted.over;
  t.false(scripted.response.writableFinished);
  await t.throwsAsync(call.read(), { message: /broken off/ });
});

test('a call that is closed after its end gives no event more either', async (t) => {
  const { worker, call, scripted } = await aCall(t);
  scripted.say(COMPLETE);
  scripted.end();
  while (!call.ended) await worker.healthy();
  call.close();
  await t.throwsAsync(call.read(), { message: /broken off/ });
});

test('a call that is closed before its first event is not opened', async (t) => {
  const { worker, call, scripted } = await aCall(t);
  const opened = worker.opened(call);
  call.close();
  await t.throwsAsync(opened, { message: /broken off/ });
  await scripted.over;
});

test('a call that is closed before it has a connection is not sent', async (t) => {
  const script = await aScriptedWorker(t);
  const worker = aCaller(t, script.url);
  const call = worker.call(aMessageOf('u'));
  call.close();
  await t.throwsAsync(worker.opened(call), { message: /broken off/ });
  worker.call(aMessageOf('v'));
  await script.call(1);
  for (let look = 0; look < LOOKS; look += 1) await worker.healthy();
  t.deepEqual(
    script.calls.map(({ userId }) => userId),
    ['v'],
  );
});

test('a call that is closed while it is being sent breaks its connection off', async (t) => {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  const worker = aCaller(t, `http://127.0.0.1:${typeof address === 'object' ? address?.port : address}`);
  const call = worker.call(aMessageOf('u', 'x'.repeat(30_000_000)));
  const opened = worker.opened(call);
  const [socket] = await once(server, 'connection');
  await once(socket.once('error', () => {}).resume(), 'data');
  socket.pause();
  call.close();
  await t.throwsAsync(opened, { message: /broken off/ });
  await once(socket.resume(), 'close');
  t.true(socket.bytesRead < 30_000_000);
});

test.serial('a large payload is let go of when it has been sent, while the answer is still awaited', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const script = await aScriptedWorker(t);
  const size = 50_000_000;
  const call = aCaller(t, script.url).call(aMessageOf('u', 'x'.repeat(size)));
  await script.call(1);
  for (let look = 0; look < LOOKS && process.memoryUsage().arrayBuffers > size; look += 1) {
    await new Promise(setImmediate);
    collect();
  }
  t.true(process.memoryUsage().arrayBuffers < size);
  call.close();
});

test('a call whose response has ended when it is closed leaves its connection for others', async (t) => {
  const { worker, call, scripted } = await aCall(t);
  const { socket } = scripted.response.req;
  scripted.say(COMPLETE);
  scripted.end();
  while (await call.read());
  call.close();
  for (let look = 0; look < LOOKS; look += 1) await worker.healthy();
  t.false(socket.destroyed);
});

test('each of several calls ends when its own time is over', async (t) => {
  const script = await aScriptedWorker(t);
  const worker = aCaller(t, script.url, { timeoutMs: 1000 });
  const call = worker.call(aMessageOf('u'));
  // Begun while the first one's time runs.
  await worker.healthy();
  const later = worker.call(aMessageOf('v'));
  for (const one of [call, later]) {
    t.like(await worker.opened(one), { type: 'ended', outcome: { code: 'worker_timeout' } });
  }
});

test('of an answer that is an error no more is read than is told', async (t) => {
  const { worker, call, scripted } = await aCall(t);
  scripted.response.writeHead(418).write('x'.repeat(5000));
  t.like(await worker.opened(call), { type: 'ended', reached: true, outcome: { code: 'worker_rejected' } });
  t.is(call.text.length, 2000);
  await scripted.over;
  t.false(scripted.response.writableFinished);
});

test('an event of more than 40 million characters is none: the call is broken off', async (t) => {
  const { worker, call, scripted } = await aCall(t);
  scripted.response.writeHead(200).write(`data: ${'x'.repeat(40_000_001)}`);
  t.like(await worker.opened(call), { type: 'ended', reached: true, outcome: { code: 'worker_stream_broken' } });
  await scripted.over;
});

test('a worker whose events nobody reads has to wait, and goes on when they are read', async (t) => {
  const { worker, call, scripted } = await aCall(t);
  const { response } = scripted;
  const event = `data: ${JSON.stringify({ ...PROGRESS, text: 'x'.repeat(99_000) })}\n\n`;
  const events = 1000;
  response.writeHead(200);
  let sent = 0;
  const sending = (async () => {
    while (sent < events) {
      sent += 1;
      if (!response.write(event)) await once(response, 'drain');
    }
    response.end();
  })();
  t.deepEqual(await worker.opened(call), { type: 'opened' });
  let before = 0;
  for (let look = 0; look < LOOKS && sent < events; look += 1) {
    if (sent > before) look = 0;
    before = sent;
    await worker.healthy();
  }
  t.true(sent < events / 2, `${sent} of ${events} were taken unread`);
  let read = 0;
  for (let batch = await call.read(); batch; batch = await call.read()) read += batch.length;
  t.is(read, events);
  await sending;
});
