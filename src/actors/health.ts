import type { StoreState } from './sweeper.ts';
import { isIll, type WorkerStatus } from './worker-health.ts';

/** How a broker is: `degraded` while its worker is ill, or a part of its store does not answer. */
export function healthOf(store: StoreState, worker: WorkerStatus): 'healthy' | 'degraded' | 'unhealthy' {
  if (store === 'away') return 'unhealthy';
  return store === 'whole' && !isIll(worker) ? 'healthy' : 'degraded';
}
