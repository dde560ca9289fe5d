import { once } from 'node:events';
import { createServer, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { mock } from 'node:test';
import test from 'ava';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { Hub } from '../../src/stream/hub.ts';
import { Listener } from '../../src/stream/listener.ts';
import { aDirectory } from '../helpers/broker.ts';
import { queued, settingsOf } from '../store/contract/kit.ts';

test.serial('a listener to whom nothing happens is sent a comment line every 15 s', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  t.teardown(() => store.close());
  const { id } = await queued(store, 'u');
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  const client = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1').setEncoding('utf8');
  t.teardown(() => client.destroy());
  let text = '';
  client.on('data', (data: string) => {
    text += data;
  });
  const reads = async (words: RegExp) => {
    while (!words.test(text)) await once(client, 'data');
  };
  client.write('GET / HTTP/1.0\r\n\r\n');
  const [, response] = await once(server, 'request');
  if (!(response instanceof ServerResponse)) throw new Error('There is no response.');

  const hub = new Hub(store);
  const feed = await hub.join('u', id);
  const listening = new Listener(feed, response, 0).run();
  await reads(/event: queued\n.*\n\n/);
  mock.timers.tick(14_999);
  t.false(text.endsWith('\n\n:\n\n'));
  mock.timers.tick(1);
  await reads(/\n\n:\n\n$/);
  mock.timers.tick(15_000);
  await reads(/\n\n:\n\n:\n\n$/);
  t.regex(text, /event: queued\n.*\n\n(?::\n\n){2}$/);
  client.destroy();
  await listening;
  hub.leave(feed);
});
