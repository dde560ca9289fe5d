import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { ClaimLost, causeOf, StoreUnavailable } from '../../src/errors.ts';
import { baseOf, brokerChannel, channelOf, shardOf } from '../../src/store/redis/keys.ts';
import { RedisStore } from '../../src/store/redis/redis.ts';
import type { StoreSettings } from '../../src/store/store.ts';
import { TcpProxy } from '../faults/proxy.ts';
import { freePort } from '../helpers/port.ts';
import { admitDocumentedUser, type RedisServer, startRedis } from '../helpers/redis.ts';
import {
  aMessage,
  aQueue,
  CALLED,
  COMPLETED,
  claimed,
  FAILED,
  filled,
  type Place,
  queued,
  renew,
  settingsOf,
  settled,
  until,
  Watcher,
  workerEvents,
} from './contract/kit.ts';
import { modelContract } from './contract/model.ts';
import { storeContract } from './contract.ts';

let redis: RedisServer;
/** With no rights but those that are documented. */
let userUrl = '';
let databases = 0;
test.before(async () => {
  redis = await startRedis({ args: ['--databases', '1000'] });
  userUrl = await admitDocumentedUser(redis);
});
test.after('what a broker asks of Redis is allowed to the documented user', async (t) => {
  t.is(await redis.say('ACL LOG'), '*0\r\n');
});
test.after.always(() => redis?.stop());

const aPlace = async (t: ExecutionContext): Promise<Place> => {
  databases += 1;
  const url = `${userUrl}/${databases}`;
  return {
    broker: async (settings?: Partial<StoreSettings>) => {
      const store = new RedisStore(url, settingsOf(settings));
      t.teardown(() => store.close());
      return store;
    },
  };
};
storeContract(test.serial, aPlace);
modelContract(test.serial, aPlace);

async function client(t: ExecutionContext): Promise<{ url: string; raw: Redis }> {
  databases += 1;
  const url = `${redis.url}/${databases}`;
  const raw = new Redis(url);
  t.teardown(() => raw.disconnect());
  return { url, raw };
}

function aStore(t: ExecutionContext, url: string): RedisStore {
  const store = new RedisStore(url, settingsOf());
  t.teardown(() => store.close());
  return store;
}

test.serial('a claim whose answer is late is given again, as the same attempt', async (t) => {
  const own = await startRedis();
  t.teardown(() => own.stop());
  const store = aStore(t, own.url);
  await store.enqueue(aMessage('u'));
  own.freeze();
  await t.throwsAsync(store.claim('u'), { instanceOf: StoreUnavailable });
  own.resume();
  const claim = await until(() => store.claim('u').catch(() => undefined));
  t.like(claim, { attempt: 1, token: 1 });
  t.is((await store.message('u', claim.messageId))?.attempts, 1);
});

test.serial(
  'a message claimed by a call whose answer is late is claimed as the same attempt, unless it was cancelled meanwhile',
  async (t) => {
    const { url, raw } = await client(t);
    const { port } = new URL(url);
    const link = await TcpProxy.start(Number(port));
    t.teardown(() => link[Symbol.asyncDispose]());
    const store = aStore(t, url.replace(port, `${link.port}`));
    // Redis knows the script from now on.
    await store.enqueue(aMessage('u'), true);
    await settled(store, 'u', COMPLETED);
    const [message, unwanted] = [aMessage('u'), aMessage('v')];
    await store.enqueue(unwanted);
    link.hold(['from']);
    await Promise.all(
      [store.enqueue(message, true), store.claim('v')].map((call) =>
        t.throwsAsync(call, { instanceOf: StoreUnavailable }),
      ),
    );
    t.is(await raw.hget(`${baseOf(shardOf('u'))}m:${message.id}`, 'attempts'), '1');
    t.deepEqual(await aStore(t, url).cancel('v', unwanted.id), { type: 'cancelling' });
    link.heal();
    const repeat = await until(() => store.enqueue(message, true).catch(() => undefined));
    t.deepEqual(repeat, { type: 'queued', position: 1 });
    t.like(await store.claim('u'), { messageId: message.id, attempt: 1 });
    t.is(await store.claim('v'), undefined);
    t.is((await store.message('v', unwanted.id))?.status, 'cancelled');
  },
);

test.serial(
  'after a failover that lost writes the broker whose claim was lost writes nothing, though its token came again',
  async (t) => {
    const { url, raw } = await client(t);
    const [one, other] = [aStore(t, url), aStore(t, url)];
    const message = aMessage('u');
    await one.enqueue(message);
    const old = await claimed(one, 'u');
    await raw.flushdb();
    await other.enqueue(message);
    const claim = await claimed(other, 'u');
    t.is(claim.token, old.token);
    await t.throwsAsync(one.append(old, old.last, workerEvents('stale')), { instanceOf: ClaimLost });
    t.deepEqual((await renew(one, [old])).lost, [old]);
    await one.release(old, CALLED);
    t.deepEqual((await renew(other, [claim])).renewed, [claim]);
  },
);

test.serial('of a Redis that cannot be reached it is told why, and where it was looked for', async (t) => {
  const port = await freePort();
  const fault = await t.throwsAsync(aStore(t, `redis://127.0.0.1:${port}`).sweep(10), { instanceOf: StoreUnavailable });
  t.is(causeOf(fault), `connect ECONNREFUSED 127.0.0.1:${port}`);
});

test.serial('a Redis that answers and can write nothing is not said to be well, until it can', async (t) => {
  const own = await startRedis();
  t.teardown(() => own.stop());
  const store = aStore(t, own.url);
  const { id } = await queued(store, 'u');
  t.true((await store.sweep(10)).complete);
  for (const [broken, mended] of [
    ['CONFIG SET maxmemory 1', 'CONFIG SET maxmemory 0'],
    ['CONFIG SET min-replicas-to-write 1', 'CONFIG SET min-replicas-to-write 0'],
  ] as const) {
    await own.say(broken);
    const fault = await t.throwsAsync(store.enqueue(aMessage('u')), { instanceOf: StoreUnavailable });
    t.regex(causeOf(fault), /^(OOM|NOREPLICAS) /);
    await t.throwsAsync(store.sweep(10), { instanceOf: StoreUnavailable });
    await own.say(mended);
    t.like(await store.sweep(10), { due: ['u'], complete: true });
  }
  t.is((await store.claim('u'))?.messageId, id);
});

test.serial('a part of the store that does not answer holds up no other', async (t) => {
  const { url, raw } = await client(t);
  const store = aStore(t, url);
  const queues = ['a', 'b', 'c'];
  for (const queue of queues) await filled(store, queue, 2);
  const claims = [await claimed(store, 'a'), await claimed(store, 'b')] as const;
  // Every script on this shard fails from now on, as if its node were away.
  await raw.del(`${baseOf(shardOf('a'))}due`);
  await raw.set(`${baseOf(shardOf('a'))}due`, 'broken');
  const told: unknown[] = [];
  await t.throwsAsync(store.renew(claims, (...renewal) => told.push(renewal)));
  t.deepEqual(told, [[claims[1], 'renewed']]);
  t.like(await store.sweep(10), { due: ['c'], complete: false });
});

test.serial('what is no news in its channels is left, and all goes on', async (t) => {
  const { url, raw } = await client(t);
  const settings = settingsOf();
  const [store, other] = [new RedisStore(url, settings), aStore(t, url)];
  t.teardown(() => store.close());
  const watcher = new Watcher();
  await store.watch('u', watcher.onChange);
  for (const rubbish of ['', '{', '[]', '[1,2,3,4]', 'null', '{"a":1}']) {
    await raw.spublish(channelOf('u'), rubbish);
    await raw.spublish(brokerChannel(settings.brokerId), rubbish);
  }
  await filled(other, 'u', 1);
  await claimed(other, 'u');
  await watcher.first(({ last }) => last === 2);
  t.is(watcher.changes.length, 1);
});

test.serial('of dead letters only those that are asked for are read, however many there are', async (t) => {
  const { url, raw } = await client(t);
  const store = aStore(t, url);
  const queues = Array.from({ length: 3 }, aQueue);
  for (let n = 0; n < 20; n += 1) {
    for (const queue of queues) {
      await filled(store, queue, 1);
      await settled(store, queue, FAILED);
    }
  }
  const all = await store.deadLetters(100);
  t.is(all.length, 60);
  await raw.config('RESETSTAT');
  t.deepEqual(await store.deadLetters(5, all[9]), all.slice(10, 15));
  t.is(/cmdstat_hmget:calls=(\d+)/.exec(await raw.info('commandstats'))?.[1], '5');
});

test.serial('a dead letter of which Redis has lost the message is passed over', async (t) => {
  const { url, raw } = await client(t);
  const store = aStore(t, url);
  for (const queue of ['a', 'b', 'c', 'a', 'b', 'c']) {
    await filled(store, queue, 1);
    await settled(store, queue, FAILED);
  }
  const [first, second, ...rest] = await store.deadLetters(10);
  if (!first || !second) return t.fail();
  for (const { queue, messageId } of [first, second]) await raw.del(`${baseOf(shardOf(queue))}m:${messageId}`);
  t.deepEqual(await store.deadLetters(2), rest.slice(0, 2));
  t.deepEqual(await store.deadLetters(10), rest);
});

test.serial(
  'without all of the store no dead letters are told, and that is said sooner than a call is given up',
  async (t) => {
    const own = await startRedis();
    t.teardown(() => own.stop());
    const store = aStore(t, own.url);
    await store.ping();
    own.freeze();
    const ping = store.ping();
    const letters = store.deadLetters(1);
    await t.throwsAsync(
      Promise.race([
        letters,
        ping.then(
          () => [],
          () => [],
        ),
      ]),
      { instanceOf: StoreUnavailable },
    );
    own.resume();
    await ping;
  },
);
