import { once } from 'node:events';
import { connect } from 'node:net';
import { Worker as Thread } from 'node:worker_threads';
import test, { type ExecutionContext } from 'ava';
import { aBroker, aStore } from '../helpers/broker.ts';
import { type StreamEvent, theEnd } from '../helpers/client.ts';

/** A port with room for two connections, which nobody takes up; both are there. A third one is not answered at all. */
async function aDeafWorker(t: ExecutionContext): Promise<string> {
  const thread = new Thread(
    `const { parentPort } = require('node:worker_threads');
    const server = require('node:net').createServer().listen(0, '127.0.0.1', 1, () => {
      parentPort.postMessage(server.address().port);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`,
    { eval: true },
  );
  t.teardown(() => thread.terminate());
  const [port] = await once(thread, 'message');
  for (let place = 0; place < 2; place += 1) {
    const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
  }
  return `http://127.0.0.1:${port}`;
}

async function aBrokerOfADeafWorker(t: ExecutionContext, env: Record<string, string>) {
  return aBroker(t, { ...(await aStore(t, 'embedded')), WORKER_BASE_URL: await aDeafWorker(t), ...env });
}

test('a worker that takes no connection is given up after WORKER_CONNECT_TIMEOUT_SECONDS, and tried again', async (t) => {
  const { client } = await aBrokerOfADeafWorker(t, {
    WORKER_CONNECT_TIMEOUT_SECONDS: '1',
    WORKER_TIMEOUT_SECONDS: '5',
  });
  const seen: StreamEvent[] = [];
  for await (const event of client.stream('u', await client.send('u', 'hello'))) {
    seen.push(event);
    if (event.event === 'retrying') break;
  }
  t.is(seen.at(-1)?.event, 'retrying');
  t.regex(seen.at(-1)?.data ?? '', /cannot be reached \(UND_ERR_CONNECT_TIMEOUT\)/);
});

test('WORKER_TIMEOUT_SECONDS ends a call that has no connection yet, and /health does not wait for one', async (t) => {
  const env = { WORKER_CONNECT_TIMEOUT_SECONDS: '600', WORKER_TIMEOUT_SECONDS: '4' };
  const { client } = await aBrokerOfADeafWorker(t, env);
  const slow = await client.send('u', 'hello');
  t.like(theEnd(await client.all('u', slow)), { event: 'error', status: 'failed', code: 'worker_timeout' });
  t.like(await client.get('/health'), { status: 200, body: { status: 'degraded', worker_connected: false } });
});

test('a call that has no connection yet can be cancelled', async (t) => {
  const { client } = await aBrokerOfADeafWorker(t, { WORKER_CONNECT_TIMEOUT_SECONDS: '600' });
  const id = await client.send('u', 'hello');
  for await (const { event } of client.stream('u', id)) if (event === 'processing') break;
  const cancelled = await client.request('DELETE', `/api/v1/queue/u/messages/${id}`);
  t.like(cancelled, { status: 200, body: { message_id: id, status: 'cancelled' } });
});
