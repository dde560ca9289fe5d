import test from 'ava';
import { RedisStore } from '../../src/store/redis/redis.ts';
import type { StoreSettings } from '../../src/store/store.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { type Place, settingsOf } from './contract/kit.ts';
import { storeContract } from './contract.ts';

let redis: RedisServer;
let databases = 0;
test.before(async () => {
  redis = await startRedis({ args: ['--databases', '1000'] });
});
test.after.always(() => redis?.stop());

storeContract(test.serial, async (t): Promise<Place> => {
  databases += 1;
  const url = `${redis.url}/${databases}`;
  return {
    broker: async (settings?: Partial<StoreSettings>) => {
      const store = new RedisStore(url, settingsOf(settings));
      t.teardown(() => store.close());
      return store;
    },
  };
});
