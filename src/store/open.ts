import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { EmbeddedStore } from './embedded/embedded.ts';
import type { Store, StoreSettings } from './store.ts';

export const DEFAULT_REDIS_URL = 'redis://localhost:6379';

export async function openStore(config: Config, _log: Logger, settings: StoreSettings): Promise<Store> {
  return new EmbeddedStore(config.dataDir, settings);
}
