import test, { type ExecutionContext } from 'ava';
import { StoreUnavailable } from '../../src/errors.ts';
import { RedisStore } from '../../src/store/redis/redis.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { aMessage, claimed, FAILED, settingsOf, until } from './contract/kit.ts';

type Pair = { readonly master: RedisServer; readonly replica: RedisServer; readonly store: RedisStore };

test('what is confirmed a replica has: a failover loses none of it', async (t) => {
  const { master, replica, store } = await aPair(t);
  const [failed, cancelled, cleared, added] = ['a', 'b', 'c', 'd'].map((queue) => aMessage(queue));
  if (!failed || !cancelled || !cleared || !added) return t.fail();
  for (const message of [failed, cancelled, cleared]) await store.enqueue(message);
  const claim = await claimed(store, failed.queue);
  await store.settle(claim, claim.last, [], FAILED, false);

  replica.freeze();
  const changes = [
    store.requeue(failed.queue, failed.id),
    store.cancel(cancelled.queue, cancelled.id),
    store.clear(cleared.queue),
    store.enqueue(added),
  ];
  let confirmed = 0;
  for (const change of changes) change.then(() => (confirmed += 1));
  const states = () => statesOf(store, [failed, cancelled, cleared, added]);
  const after = ['queued', 'cancelled', 'cancelled', 'queued'];
  t.deepEqual(await until(async () => ((await states()).join() === after.join() ? after : undefined)), after);
  t.is(confirmed, 0);

  replica.resume();
  await Promise.all(changes);
  await master.kill();
  await replica.say('REPLICAOF NO ONE');
  const survivor = aStore(t, replica);
  t.deepEqual(await statesOf(survivor, [failed, cancelled, cleared, added]), after);
});

test('a master killed in the middle of many messages: its replica has every one that was confirmed', async (t) => {
  const { master, replica, store } = await aPair(t);
  const confirmed: { queue: string; id: string }[] = [];
  let killed: Promise<void> | undefined;
  await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      while (!killed) {
        const message = aMessage(`user-${n}`);
        const answer = await store.enqueue(message).catch(() => undefined);
        if (answer?.type === 'queued') confirmed.push(message);
        if (confirmed.length >= 1000) killed ??= master.kill();
      }
    }),
  );
  await killed;
  await replica.say('REPLICAOF NO ONE');
  const states = await statesOf(aStore(t, replica), confirmed);
  t.true(states.length >= 1000);
  t.deepEqual(
    states.filter((state) => state !== 'queued'),
    [],
  );
});

test('a replica that does not keep up: the message is not confirmed, and once it does the same one is', async (t) => {
  const { replica, store } = await aPair(t);
  const message = aMessage('u');
  replica.freeze();
  const error = await t.throwsAsync(store.enqueue(message), { instanceOf: StoreUnavailable });
  t.is(error?.cause, 'Its replica does not keep up.');
  replica.resume();
  t.deepEqual(await store.enqueue(message), { type: 'queued', position: 1 });
});

test('a replica that is gone is no longer waited for; one that comes back is, from the next sweep on', async (t) => {
  const { master, replica, store } = await aPair(t);
  await store.enqueue(aMessage('u'));
  await replica.kill();
  t.deepEqual(await store.enqueue(aMessage('u')), { type: 'queued', position: 2 });
  t.deepEqual(await store.enqueue(aMessage('u')), { type: 'queued', position: 3 });
  await replica.restart();
  await followed(master);
  await store.sweep(1);
  replica.freeze();
  await t.throwsAsync(store.enqueue(aMessage('u')), { instanceOf: StoreUnavailable });
  replica.resume();
});

test('a master that is replaced before its replica had the message does not confirm it', async (t) => {
  const { master, replica, store } = await aPair(t);
  replica.freeze();
  const answer = store.enqueue(aMessage('u'));
  await until(async () => (await master.say('INFO clients')).includes('blocked_clients:1'));
  await master.say(`REPLICAOF 127.0.0.1 ${replica.port}`);
  await t.throwsAsync(answer, { instanceOf: StoreUnavailable });
  replica.resume();
});

async function aPair(t: ExecutionContext): Promise<Pair> {
  const master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  t.teardown(() => master.stop());
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${master.port}`] });
  t.teardown(() => replica.stop());
  await followed(master);
  return { master, replica, store: aStore(t, master) };
}

async function followed(master: RedisServer): Promise<void> {
  await until(async () => /state=online,offset=[1-9]/.test(await master.say('INFO replication')));
}

function aStore(t: ExecutionContext, { url }: RedisServer): RedisStore {
  const store = new RedisStore(url, settingsOf());
  t.teardown(() => store.close());
  return store;
}

function statesOf(store: RedisStore, messages: readonly { queue: string; id: string }[]) {
  return Promise.all(messages.map(async ({ queue, id }) => (await store.message(queue, id))?.status));
}
