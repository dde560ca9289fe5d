import test from 'ava';
import { baseOf, queueKeys, shardOf } from '../../src/store/redis/keys.ts';
import { aBroker, aWorker } from '../helpers/broker.ts';
import { aBody, type Client, NoStream, theEnd } from '../helpers/client.ts';
import { startCluster } from '../helpers/cluster.ts';

const USERS = 12;
const MESSAGES = 6;

test('two brokers on a Redis Cluster whose master is killed under load: all ends once, in order', async (t) => {
  const cluster = await startCluster();
  t.teardown(() => cluster.stop());
  const worker = await aWorker(t, { jitterMs: 20, seed: 5 });
  const env = { REDIS_URL: cluster.url, WORKER_BASE_URL: worker.url, LEASE_SECONDS: '60' };
  const brokers = [await aBroker(t, env), await aBroker(t, env)];
  const clients = brokers.map(({ client }) => client);
  const users = Array.from({ length: USERS }, (_, n) => `user-${n}`);
  let killed = false;
  const sent = await Promise.all(
    users.map(async (user, index) => {
      const ids: string[] = [];
      for (let n = 0; n < MESSAGES; n += 1) {
        ids.push(await accepted(clients[(index + n) % clients.length], user, n));
        if (n === 1 && !killed) {
          killed = true;
          await cluster.killMaster();
        }
      }
      return { user, ids };
    }),
  );
  t.true(killed);
  for (const { user, ids } of sent) {
    for (const id of ids) t.is(await eventualStatus(clients, user, id), 'completed');
    const calls = worker.calls.filter((call) => call.user_id === user);
    const order = [...new Set(calls.map((call) => call.idempotencyKey))];
    t.deepEqual(order, ids, user);
  }
  t.deepEqual(worker.overlaps(), []);
  await cluster.whole();

  /** Sends until it is accepted: under the same id, so once. */
  async function accepted(client: Client | undefined, user: string, n: number): Promise<string> {
    for (;;) {
      const body = aBody(user, `message ${n}`, { client_message_id: `${n}` });
      const answer = await client?.post(body).catch(() => undefined);
      if (answer && answer.status < 300) return String(answer.body['message_id']);
      t.is(answer?.status ?? 503, 503);
    }
  }
});

test('a replica that does not keep up costs the users of its own master a clear no, and the others nothing', async (t) => {
  const cluster = await startCluster({ nodeTimeoutMs: 60_000 });
  t.teardown(() => cluster.stop());
  const worker = await aWorker(t);
  const env = { REDIS_URL: cluster.url, WORKER_BASE_URL: worker.url, WORKER_CONCURRENCY: '1' };
  const { client, url } = await aBroker(t, env);
  const users = Array.from({ length: USERS }, (_, n) => `user-${n}`);
  // To their end: one whose events are being stored as its replica hangs holds the only slot until that is back.
  const sent = await Promise.all(users.map(async (user) => ({ user, id: await client.send(user, 'hello') })));
  for (const { user, id } of sent) t.like(theEnd(await client.all(user, id)), { event: 'done' });
  const { master, replica } = await cluster.pair();
  replica.freeze();
  const bodies = users.map((user) => aBody(user, 'hello again', { client_message_id: 'again' }));
  const answers = await Promise.all(bodies.map((body) => client.post(body)));
  const refused = answers.filter(({ status }) => status !== 202);
  t.true(refused.length > 0 && refused.length < USERS);
  for (const { status, body } of refused) t.like({ status, ...body }, { status: 503, code: 'store_unavailable' });
  for (const [n, { status, body }] of answers.entries()) {
    if (status === 202) t.like(theEnd(await client.all(`user-${n}`, String(body['message_id']))), { event: 'done' });
  }
  let health = await client.get('/health');
  while (health.body['status'] !== 'degraded') health = await client.get('/health');
  t.like(health, { status: 200, body: { redis_connected: true } });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  t.regex(metrics, /^broker_store_complete 0$/m);
  t.notRegex(metrics, /^broker_store_messages_waiting /m);
  // Whoever waits for the replica over a connection that breaks asks over another one.
  await master.say('CLIENT KILL TYPE normal SKIPME yes');
  replica.resume();
  for (const [n, body] of bodies.entries()) {
    let answer = await client.post(body);
    while (answer.status === 503) answer = await client.post(body);
    t.like(theEnd(await client.all(`user-${n}`, String(answer.body['message_id']))), { event: 'done' });
  }
});

test('a part of the store that hangs keeps no slot from the users of the others', async (t) => {
  const cluster = await startCluster({ nodeTimeoutMs: 120_000 });
  t.teardown(() => cluster.stop());
  const worker = await aWorker(t);
  const env = { REDIS_URL: cluster.url, WORKER_BASE_URL: worker.url, WORKER_CONCURRENCY: '2' };
  const { client } = await aBroker(t, env);
  const [hanging, other] = cluster.masters;
  if (!hanging || !other) return t.fail();
  const users = Array.from({ length: 2 * USERS }, (_, n) => `user-${n}`);
  const slots = await Promise.all(
    users.map((user) => other.say(`CLUSTER KEYSLOT ${queueKeys(baseOf(shardOf(user)), user)[0]}`)),
  );
  const isHanging = (_: string, index: number) => Number(slots[index]?.replace(':', '')) < 16_384 / 3;
  const stuck = users.filter(isHanging);
  const well = users.filter((user, index) => !isHanging(user, index));
  t.true(stuck.length > 2 && well.length > 2);
  const wellServed = async () => {
    for (const user of well.slice(0, 3)) {
      // A connection to a Cluster may be made anew when one of its nodes is silent: who is refused then tries again.
      let answer = await client.post(aBody(user, 'hello'));
      while (answer.status === 503) answer = await client.post(aBody(user, 'hello'));
      t.like(theEnd(await client.all(user, String(answer.body['message_id']))), { event: 'done' });
    }
  };
  hanging.freeze();
  t.teardown(() => hanging.resume());
  const answers = stuck.map((user) => client.post(aBody(user, 'hello')));
  await wellServed();
  for (const answer of answers) t.is((await answer).status, 503);
  await wellServed();
});

/** Reads a message to its end, from whichever broker can. */
async function eventualStatus(clients: readonly Client[], user: string, id: string) {
  for (;;) {
    for (const client of clients) {
      const end = theEnd(await client.all(user, id).catch(unlessUnknown));
      if (end['status']) return end['status'];
    }
  }
}

/** A broker that cannot read now is asked again; one that does not know the message has lost it. */
function unlessUnknown(error: unknown): readonly [] {
  if (error instanceof NoStream && error.status === 404) throw error;
  return [];
}
