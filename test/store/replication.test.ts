import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { StoreUnavailable } from '../../src/errors.ts';
import { connect } from '../../src/store/redis/connection.ts';
import { baseOf, queueKeys } from '../../src/store/redis/keys.ts';
import { RedisStore } from '../../src/store/redis/redis.ts';
import { Replication } from '../../src/store/redis/replication.ts';
import { SCRIPTS } from '../../src/store/redis/scripts.ts';
import { TcpProxy } from '../faults/proxy.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { aMessage, COMPLETED, claimed, FAILED, settingsOf, until } from './contract/kit.ts';

/** The replica hears of its master over `link` alone. */
type Pair = {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly link: TcpProxy;
  readonly store: RedisStore;
};
type Named = { readonly queue: string; readonly id: string };

test('what a client is told of is confirmed once a replica has it', async (t) => {
  const pair = await aPair(t);
  const { link, store } = pair;
  const [failed, cancelled, cleared, added] = ['a', 'b', 'c', 'd'].map((queue) => aMessage(queue));
  if (!failed || !cancelled || !cleared || !added) return t.fail();
  for (const message of [failed, cancelled, cleared]) await store.enqueue(message);
  const claim = await claimed(store, failed.queue);
  await store.settle(claim, claim.last, [], FAILED, false);

  link.hold(['from']);
  let confirmed = 0;
  const confirm = () => (confirmed += 1);
  const changes = [
    store.requeue(failed.queue, failed.id).then(confirm),
    store.cancel(cancelled.queue, cancelled.id).then(confirm),
    store.clear(cleared.queue).then(confirm),
    store.enqueue(added).then(confirm),
  ];
  const messages = [failed, cancelled, cleared, added];
  const after = ['queued', 'cancelled', 'cancelled', 'queued'];
  await until(async () => (await statesOf(store, messages)).join() === after.join());
  t.is(confirmed, 0);

  link.heal();
  await Promise.all(changes);
  t.deepEqual(await statesOf(await survivor(t, pair), messages), after);
});

test('a master dies with what it had not passed on: nothing that was confirmed is among it', async (t) => {
  const pair = await aPair(t);
  const { link, store } = pair;
  const confirmed: Named[] = [];
  let refused = 0;
  let over = false;
  const users = Array.from({ length: 50 }, async (_, n) => {
    while (!over) {
      const message = aMessage(`user-${n}`);
      const answer = await store.enqueue(message).catch(() => undefined);
      if (answer?.type === 'queued') confirmed.push(message);
      else refused += 1;
      if (confirmed.length > 1000) link.hold(['from']);
      over ||= refused > 0;
    }
  });
  await Promise.all(users);
  const states = await statesOf(await survivor(t, pair), confirmed);
  t.true(confirmed.length > 1000);
  t.deepEqual(
    states.filter((state) => state !== 'queued'),
    [],
  );
});

test('a replica that does not keep up: what is asked for is refused, at last without being done, until it has caught up', async (t) => {
  const { link, store } = await aPair(t);
  const [begun, one, other] = [aMessage('begun'), aMessage('u'), aMessage('u')];
  await store.enqueue(begun);
  const claim = await claimed(store, 'begun');
  link.hold(['from']);
  const error = await t.throwsAsync(store.enqueue(one), { instanceOf: StoreUnavailable });
  t.like(error?.cause, { message: 'The replica of this Redis does not keep up.' });
  await t.throwsAsync(store.enqueue(other), { instanceOf: StoreUnavailable });
  t.is(await store.message('u', other.id), undefined);
  const finished = store.settle(claim, claim.last, [], COMPLETED, false);
  await until(async () => (await store.message('begun', begun.id))?.status === 'completed');
  t.like(await store.sweep(10), { due: [], complete: false });
  link.heal();
  await finished;
  t.deepEqual(await until(() => sweptAndAsked(store, one)), { type: 'queued', position: 1 });
  t.deepEqual(await store.enqueue(other), { type: 'queued', position: 2 });
  t.like(await store.sweep(10), { due: ['u'], complete: true });
});

test('a claim that no replica has is given back, and costs no attempt', async (t) => {
  const { master, link, store } = await aPair(t);
  const message = aMessage('u');
  await store.enqueue(message);
  link.hold(['from']);
  await t.throwsAsync(store.claim('u'), { instanceOf: StoreUnavailable });
  link.heal();
  const other = aStore(t, master);
  const claim = await until(() => other.claim('u').catch(() => undefined));
  t.like(claim, { messageId: message.id, attempt: 1 });
});

test('a message that is claimed as it arrives, and no replica has, is given back, and costs no attempt', async (t) => {
  const { master, link, store } = await aPair(t);
  const message = aMessage('u');
  link.hold(['from']);
  await t.throwsAsync(store.enqueue(message, true), { instanceOf: StoreUnavailable });
  link.heal();
  const other = aStore(t, master);
  const claim = await until(() => other.claim('u').catch(() => undefined));
  t.like(claim, { messageId: message.id, attempt: 1 });
});

test('a replica that is gone is no longer waited for; one that comes back is, from the next sweep on', async (t) => {
  const { master, replica, link, store } = await aPair(t);
  await store.enqueue(aMessage('u'));
  await replica.kill();
  // One that may have been cut off as its replica took its place is not believed at once.
  await t.throwsAsync(store.enqueue(aMessage('u')), { instanceOf: StoreUnavailable });
  const accepted = await until(async () => {
    await store.sweep(1);
    return store.enqueue(aMessage('u')).catch(unlessUnavailable);
  });
  t.is(accepted.type, 'queued');
  await replica.restart();
  await followed(master);
  await store.sweep(1);
  link.hold(['from']);
  await t.throwsAsync(store.enqueue(aMessage('u')), { instanceOf: StoreUnavailable });
});

test('a master that is replaced before its replica had the message does not confirm it', async (t) => {
  const { master, replica, link, store } = await aPair(t);
  link.hold(['from']);
  const refusal = t.throwsAsync(store.enqueue(aMessage('u')), { instanceOf: StoreUnavailable });
  await until(async () => (await master.say('INFO clients')).includes('blocked_clients:1'));
  await master.say(`REPLICAOF 127.0.0.1 ${replica.port}`);
  t.like((await refusal)?.cause, { message: 'This Redis was replaced by its replica.' });
});

test('what one Redis has done no other can confirm', async (t) => {
  const [one, other] = [await aPair(t), await aPair(t)];
  one.link.hold(['from']);
  const connection = connect(one.master.url);
  t.teardown(() => connection.close());
  const replication = new Replication(() => connect(other.master.url), 'single');
  t.teardown(() => replication.close());
  const base = baseOf(0);
  const clear = replication.confirmed(0, {
    change: SCRIPTS.clear,
    run: (script) => connection.run(script, queueKeys(base, 'u'), [base, 'u', 1000, 1000]),
    begins: true,
  });
  await t.throwsAsync(clear, { instanceOf: StoreUnavailable });
});

test('a full Redis confirms what makes room', async (t) => {
  const { master, store } = await aPair(t);
  const message = aMessage('u');
  await store.enqueue(message);
  await master.say('CONFIG SET maxmemory 1');
  t.deepEqual(await store.cancel('u', message.id), { type: 'cancelled' });
});

test('a Redis that forbids to wait, or to ask for its replicas, is warned of and works', async (t) => {
  const { master, link } = await aPair(t);
  const admin = new Redis(master.url);
  t.teardown(() => admin.disconnect());
  for (const forbidden of ['-wait', '-info']) {
    await admin.call('ACL', 'SETUSER', 'broker', 'reset', 'on', '>secret', '~*', '&*', '+@all', forbidden);
    const store = new RedisStore(`redis://broker:secret@127.0.0.1:${master.port}`, settingsOf());
    t.teardown(() => store.close());
    t.regex((await store.warnings()).join(), /a failover may lose accepted messages/);
    link.hold(['from']);
    t.like(await store.enqueue(aMessage(forbidden)), { type: 'queued' });
    link.heal();
  }
});

async function aPair(t: ExecutionContext): Promise<Pair> {
  const master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
  t.teardown(() => master.stop());
  const link = await TcpProxy.start(master.port);
  t.teardown(() => link[Symbol.asyncDispose]());
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${link.port}`] });
  t.teardown(() => replica.stop());
  await followed(master);
  return { master, replica, link, store: aStore(t, master) };
}

/** A replica counts once it has confirmed something. */
async function followed(master: RedisServer): Promise<void> {
  await until(async () => {
    await master.say('SET something 1');
    return /state=online,offset=[1-9]/.test(await master.say('INFO replication'));
  });
}

/** The master dies, and with it all that is still on its way to its replica. */
async function survivor(t: ExecutionContext, { master, replica, link }: Pair): Promise<RedisStore> {
  await master.kill();
  link.cut();
  await replica.say('REPLICAOF NO ONE');
  return aStore(t, replica);
}

function aStore(t: ExecutionContext, { url }: RedisServer): RedisStore {
  const store = new RedisStore(url, settingsOf());
  t.teardown(() => store.close());
  return store;
}

async function sweptAndAsked(store: RedisStore, message: ReturnType<typeof aMessage>) {
  await store.sweep(1);
  return store.enqueue(message).catch(() => undefined);
}

function statesOf(store: RedisStore, messages: readonly Named[]) {
  return Promise.all(messages.map(async ({ queue, id }) => (await store.message(queue, id))?.status));
}

function unlessUnavailable(error: unknown): undefined {
  if (!(error instanceof StoreUnavailable)) throw error;
}
