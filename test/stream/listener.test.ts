import { once } from 'node:events';
import { mock } from 'node:test';
import test from 'ava';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { Hub } from '../../src/stream/hub.ts';
import { Listener } from '../../src/stream/listener.ts';
import { aDirectory } from '../helpers/broker.ts';
import { claimed, FAILED, queued, settingsOf, workerEvents } from '../store/contract/kit.ts';
import { aResponse } from './response.ts';

test.serial('a listener to whom nothing happens is sent a comment line every 15 s', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  t.teardown(() => store.close());
  const { id } = await queued(store, 'u');
  const { response, client } = await aResponse(t);
  let text = '';
  client.on('data', (data: string) => {
    text += data;
  });
  const reads = async (words: RegExp) => {
    while (!words.test(text)) await once(client, 'data');
  };

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

test('a listener behind in the log of a message that failed and was retried gets to the new log, and comes back for its rest', async (t) => {
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  t.teardown(() => store.close());
  const { id } = await queued(store, 'u');
  const hub = new Hub(store);
  const feed = await hub.join('u', id);
  await feed.read(0, 10);
  const claim = await claimed(store, 'u');
  // More than the feed keeps.
  const events = Array.from({ length: 3000 }, () => 'void');
  await store.settle(claim, claim.last, workerEvents(...events), FAILED, false);
  await store.requeue('u', id);
  const { response, client } = await aResponse(t);
  let text = '';
  client.on('data', (data: string) => {
    text += data;
  });
  const ended = once(client, 'end');
  await new Listener(feed, response, 2).run();
  response.end();
  await ended;
  t.deepEqual(
    [...text.matchAll(/^id: (\d+)$/gm)].map(([, eventId]) => eventId),
    ['3004'],
  );
  hub.leave(feed);
});
