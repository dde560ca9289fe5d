import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { TcpProxy } from './proxy.ts';

/** A connection through a proxy, and what arrives at each end of it. */
async function aConnection(t: ExecutionContext) {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const proxy = await TcpProxy.start(typeof address === 'object' ? (address?.port ?? 0) : 0);
  const accepted = once(server, 'connection');
  const near = createConnection(proxy.port, '127.0.0.1');
  const [far]: Socket[] = await accepted;
  if (!far) throw new Error('There is no other end.');
  for (const socket of [near, far]) socket.setEncoding('utf8').on('error', () => {});
  t.teardown(async () => {
    near.destroy();
    far.destroy();
    await proxy[Symbol.asyncDispose]();
    server.close();
  });
  return { proxy, near, far };
}

function closed(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.once('close', resolve));
}

async function next(socket: Socket): Promise<unknown> {
  const [data]: unknown[] = await once(socket, 'data');
  return data;
}

test('passes on in both directions, and the end', async (t) => {
  const { near, far } = await aConnection(t);
  near.write('there');
  t.is(await next(far), 'there');
  far.write('back');
  t.is(await next(near), 'back');
  const ended = once(far, 'end');
  near.end();
  await ended;
});

for (const direction of ['to', 'from'] as const) {
  test(`holds what goes "${direction}", and lets it through when healed`, async (t) => {
    const { proxy, near, far } = await aConnection(t);
    const [source, sink] = direction === 'to' ? [near, far] : [far, near];
    proxy.hold([direction]);
    const arrived: string[] = [];
    sink.on('data', (data: string) => arrived.push(data));
    source.write('held');
    // The other direction goes on; there and back again is time enough for what is not held.
    for (let n = 0; n < 5; n += 1) {
      sink.write('passes');
      t.is(await next(source), 'passes');
    }
    t.deepEqual(arrived, []);
    proxy.heal();
    if (!arrived.length) await once(sink, 'data');
    t.deepEqual(arrived, ['held']);
  });
}

test('a cut breaks connections and refuses new ones, until healed', async (t) => {
  const { proxy, near, far } = await aConnection(t);
  const broken = Promise.all([closed(near), closed(far)]);
  proxy.cut();
  await broken;
  const refused = createConnection(proxy.port, '127.0.0.1').on('error', () => {});
  await closed(refused);
  t.is(refused.bytesRead, 0);
  proxy.heal();
  const again = createConnection(proxy.port, '127.0.0.1');
  t.teardown(() => again.destroy());
  await once(again, 'connect');
  t.true(again.writable);
});
