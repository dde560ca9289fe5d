import test from 'ava';
import { RedisStore } from '../../src/store/redis/redis.ts';
import { type RedisCluster, startCluster } from '../helpers/cluster.ts';
import { type Place, settingsOf } from './contract/kit.ts';
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
