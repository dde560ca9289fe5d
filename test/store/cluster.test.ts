import test from 'ava';
import { RedisStore } from '../../src/store/redis/redis.ts';
import { type RedisCluster, startCluster } from '../helpers/cluster.ts';
import { admitDocumentedUser } from '../helpers/redis.ts';
import { aMessage, aQueue, type Place, settingsOf, until } from './contract/kit.ts';
import { storeContract } from './contract.ts';

let cluster: RedisCluster;
/** With no rights but those that are documented. One node of a list leads to the others. */
let userUrl = '';
test.before(async () => {
  cluster = await startCluster();
  const urls = await Promise.all(cluster.nodes.map(admitDocumentedUser));
  userUrl = `${urls[0]},`;
});
test.after('what a broker asks of a Cluster is allowed to the documented user', async (t) => {
  for (const node of cluster.nodes) t.is(await node.say('ACL LOG'), '*0\r\n');
});
test.after.always(() => cluster?.stop());

// A Cluster has one database only, so one test at a time.
storeContract(test.serial, async (t): Promise<Place> => {
  await cluster.flush();
  return {
    broker: async (settings) => {
      const store = new RedisStore(userUrl, settingsOf(settings));
      t.teardown(() => store.close());
      return store;
    },
  };
});

test.serial('where a replica took over, its queues are confirmed again', async (t) => {
  const store = new RedisStore(cluster.url, settingsOf());
  t.teardown(() => store.close());
  const queues = Array.from({ length: 50 }, aQueue);
  await Promise.all(queues.map((queue) => store.enqueue(aMessage(queue))));
  await cluster.failOver();
  for (const queue of queues) {
    const message = aMessage(queue);
    const answer = await until(() => store.enqueue(message).catch(() => undefined));
    t.deepEqual(answer, { type: 'queued', position: 2 });
  }
});
