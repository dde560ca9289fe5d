import { once } from 'node:events';
import { mock } from 'node:test';
import test from 'ava';
import { engineDialect } from '../../src/http/engine/dialect.ts';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { Hub } from '../../src/stream/hub.ts';
import { Listener } from '../../src/stream/listener.ts';
import { encode } from '../../src/stream/run.ts';
import { Origins } from '../../src/worker/origins.ts';
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

// 3000 are more than the feed keeps: the end is gone with the old log, and the new one begins. Of few the end is at hand.
for (const [length, ids] of [
  [3000, ['3004', '3005']],
  [1, ['3', '4']],
] as const)
  test(`a listener behind in a log of ${length} events whose message failed and was retried is told of no more than one of its ends`, async (t) => {
    const store = new EmbeddedStore(aDirectory(t), settingsOf());
    t.teardown(() => store.close());
    const { id } = await queued(store, 'u');
    const hub = new Hub(store);
    const feed = await hub.join('u', id);
    await feed.read(0, 10);
    const claim = await claimed(store, 'u');
    const events = Array.from({ length }, () => 'void');
    await store.settle(claim, claim.last, workerEvents(...events), FAILED, false);
    await store.requeue('u', id);
    await claimed(store, 'u');
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
      ids,
    );
    hub.leave(feed);
  });

test.serial(
  'a client of the engine that waits for a minute is sent a sign of life it counts, at least every 25 s',
  async (t) => {
    mock.timers.enable({ apis: ['setInterval'] });
    t.teardown(() => mock.timers.reset());
    const store = new EmbeddedStore(aDirectory(t), settingsOf());
    t.teardown(() => store.close());
    const { id } = await queued(store, 'u');
    const hub = new Hub(store);
    const feed = await hub.join('u', id);
    feed.accepted(1);
    const { response, client } = await aResponse(t);
    let text = '';
    client.on('data', (data: string) => {
      text += data;
    });
    const dialect = engineDialect(new Origins('http://127.0.0.1:1', undefined));
    const listening = new Listener(feed, response, 1, dialect).run(
      encode([{ name: 'queued', data: '{"queue_position":3}' }], 0),
    );
    const signs = () => text.match(/^data: .*$/gm) ?? [];
    for (let n = 1; n <= 4; n += 1) {
      while (signs().length < n) await once(client, 'data');
      mock.timers.tick(25_000);
    }
    t.deepEqual(signs().slice(0, 4), [
      'data: {"type":"status","message":"Queued — 3 ahead of you"}',
      ...Array.from({ length: 3 }, () => 'data: {"type":"keepalive"}'),
    ]);
    t.notRegex(text, /^(?:id|event|retry|:)/m);
    client.destroy();
    await listening;
    hub.leave(feed);
  },
);
