import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { StoreUnavailable } from '../../src/errors.ts';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { RedisStore } from '../../src/store/redis/redis.ts';
import type { Change } from '../../src/store/store.ts';
import { Hub } from '../../src/stream/hub.ts';
import { Listener } from '../../src/stream/listener.ts';
import { aDirectory } from '../helpers/broker.ts';
import { startRedis } from '../helpers/redis.ts';
import { claimed, FAILED, filled, queued, settingsOf, workerEvents } from '../store/contract/kit.ts';
import { aResponse } from './response.ts';

/** A store that knows how much of it is watched, and can be away for those who want to. */
class WatchedStore extends EmbeddedStore {
  /** Watches so far, and those that have not been stopped. */
  watches = 0;
  watching = 0;
  away = false;

  override async watch(queue: string, onChange: (change: Change) => void): Promise<() => void> {
    this.watches += 1;
    if (this.away) throw new StoreUnavailable(new Error('It is away.'));
    const stop = await super.watch(queue, onChange);
    this.watching += 1;
    return () => {
      this.watching -= 1;
      stop();
    };
  }
}

function aHub(t: ExecutionContext) {
  const store = new WatchedStore(aDirectory(t), settingsOf());
  t.teardown(() => store.close());
  return { store, hub: new Hub(store) };
}

/** A watch is stopped as soon as its promise has told how. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test('a queue is watched once for all its listeners, and no longer than the last of them stays', async (t) => {
  const { store, hub } = aHub(t);
  const [first, second] = (await filled(store, 'u', 2)).map(({ id }) => id);
  const joined = await Promise.all([first, first, second].map((id) => hub.join('u', id ?? '')));
  const [one, same, other] = joined;
  t.is(one, same);
  t.not(one, other);
  t.is(store.watches, 1);
  for (const feed of joined.toReversed()) {
    t.is(store.watching, 1);
    hub.leave(feed);
    await settled();
  }
  t.is(store.watching, 0);

  const again = await hub.join('u', first ?? '');
  t.not(again, one, 'nothing was kept of it');
  t.is(store.watches, 2);
  hub.leave(again);
  await settled();
  t.is(store.watching, 0);
});

test('listeners that leave while the watch begins end it too', async (t) => {
  const { store, hub } = aHub(t);
  const joining = [hub.join('u', 'a'), hub.join('u', 'a'), hub.join('u', 'b')];
  for (const feed of await Promise.all(joining)) hub.leave(feed);
  await settled();
  t.like(store, { watches: 1, watching: 0 });
});

test('a join that fails leaves nothing, and the next one begins anew', async (t) => {
  const { store, hub } = aHub(t);
  store.away = true;
  const joins = await Promise.allSettled([hub.join('u', 'a'), hub.join('u', 'a'), hub.join('u', 'b')]);
  for (const join of joins) t.true(join.status === 'rejected' && join.reason instanceof StoreUnavailable);
  store.away = false;
  t.is(store.watches, 1);
  const feed = await hub.join('u', 'a');
  t.is(store.watches, 2);
  hub.leave(feed);
  await settled();
  t.is(store.watching, 0);
});

test('a join at a store that is closed is refused as one that is away', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const store = new RedisStore(redis.url, settingsOf());
  await store.ping();
  await store.close();
  const hub = new Hub(store);
  await t.throwsAsync(hub.join('u', 'a'), { instanceOf: StoreUnavailable });
  await t.throwsAsync(hub.join('u', 'a'), { instanceOf: StoreUnavailable });
});

test('a client that has left before its listener begins ends it', async (t) => {
  const { store, hub } = aHub(t);
  const { id } = await queued(store, 'u');
  const { response, client } = await aResponse(t);
  const closed = once(response, 'close');
  client.destroy();
  await closed;
  const feed = await hub.join('u', id);
  await new Listener(feed, response, 0).run();
  hub.leave(feed);
  await settled();
  t.is(store.watching, 0);
});

test('a feed that has ended is replaced by a new one when its message is put into the queue again', async (t) => {
  const { store, hub } = aHub(t);
  const { id } = await queued(store, 'u');
  const old = await hub.join('u', id);
  await old.read(0, 10);
  const claim = await claimed(store, 'u');
  await store.settle(claim, claim.last, workerEvents('void'), FAILED, false);
  t.true(old.ended);
  await store.requeue('u', id);
  const fresh = await hub.join('u', id);
  t.not(fresh, old);
  t.false(fresh.ended);
  t.is((await fresh.read(0, 10))?.last, 5);
  // Whoever still reads the old one takes nothing from the new one by leaving.
  hub.leave(old);
  await settled();
  t.like(store, { watches: 1, watching: 1 });
  await claimed(store, 'u');
  t.deepEqual(
    fresh.after(5)?.map(({ last }) => last),
    [6],
    'its news goes to the new one',
  );
  hub.leave(fresh);
  await settled();
  t.is(store.watching, 0);
});
