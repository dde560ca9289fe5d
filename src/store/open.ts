import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { causeOf } from '../errors.ts';
import { EmbeddedStore } from './embedded/embedded.ts';
import { RedisStore } from './redis/redis.ts';
import type { Store, StoreSettings } from './store.ts';

const DEFAULT_REDIS_URL = 'redis://localhost:6379';
/** How long a Redis on the default address has to answer before the embedded store is taken. */
const LOOK_MS = 500;

export type StoreChoice = {
  readonly store: 'auto' | 'redis' | 'embedded';
  readonly redisUrl: string | undefined;
  readonly dataDir: string;
  readonly production: boolean;
};

/**
 * The store that the settings name; see `STORE` in `.env.example`. A Redis that is away now is waited for by the
 * calls themselves. Throws when the embedded store's file cannot be opened.
 */
export async function openStore(choice: StoreChoice, log: Logger, settings: StoreSettings): Promise<Store> {
  const embedded = () => new EmbeddedStore(choice.dataDir, settings);
  if (choice.store === 'embedded') return embedded();
  const redis = new RedisStore(choice.redisUrl ?? DEFAULT_REDIS_URL, settings);
  const mayFallBack = choice.store === 'auto' && !choice.redisUrl && !choice.production;
  if (mayFallBack && !(await answers(redis))) {
    await redis.close();
    log.warn(
      { data_dir: choice.dataDir },
      `no Redis at ${DEFAULT_REDIS_URL}: using the embedded store, for this one broker. Set REDIS_URL to share one`,
    );
    return embedded();
  }
  redis.warnings().then(
    (warnings) => {
      for (const warning of warnings) log.warn(warning);
    },
    (error: unknown) => log.warn({ reason: causeOf(error) }, 'Redis did not tell how it keeps what it is given'),
  );
  redis.ping().catch((error: unknown) => {
    log.warn({ reason: causeOf(error) }, 'Redis is away; the broker starts all the same and waits for it');
  });
  return redis;
}

function answers(store: Store): Promise<boolean> {
  const answered = store.ping().then(
    () => true,
    () => false,
  );
  return Promise.race([answered, delay(LOOK_MS, false)]);
}
