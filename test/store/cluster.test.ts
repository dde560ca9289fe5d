import test from 'ava';
import { RedisStore } from '../../src/store/redis/redis.ts';
import { type RedisCluster, startCluster } from '../helpers/cluster.ts';
import { aMessage, aQueue, type Place, settingsOf, until } from './contract/kit.ts';
import { storeContract } from './contract.ts';

let cluster: RedisCluster;
test.before(async () => {
  cluster = await startCluster();
});
test.after.always(() => cluster?.stop());

// A Cluster has one database only, so one test at a time.
storeContract(test.serial, async (t): Promise<Place> => {
  await cluster.flush();
  return {
    broker: async (settings) => {
      const store = new RedisStore(cluster.url, settingsOf(settings));
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
