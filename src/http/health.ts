import type { Middleware } from 'koa';
import { StoreUnavailable } from '../errors.ts';
import type { Services } from './app.ts';
import { iso } from './message.ts';

/** `GET /health`: how the store and the worker are, and the counts kept for all queues. */
export function getHealth({ store, sweeper, workerHealth, version }: Services): Middleware {
  return async (ctx) => {
    const [sweep, worker] = await Promise.all([
      sweeper.sweep().catch((error: unknown) => {
        if (error instanceof StoreUnavailable) return undefined;
        throw error;
      }),
      workerHealth.status(),
    ]);
    const degraded = !worker.connected || worker.circuit === 'open';
    ctx.status = sweep ? 200 : 503;
    ctx.body = {
      status: sweep ? (degraded ? 'degraded' : 'healthy') : 'unhealthy',
      redis_connected: sweep !== undefined,
      worker_connected: worker.connected,
      active_queues: sweep?.counts.activeQueues ?? 0,
      messages_processing: sweep?.counts.processing ?? 0,
      messages_waiting: sweep?.counts.waiting ?? 0,
      oldest_wait_seconds: (sweep?.counts.oldestWaitMs ?? 0) / 1000,
      worker_circuit: worker.circuit,
      degraded_since: degraded ? iso(worker.since) : null,
      store: store.kind,
      version,
      uptime_seconds: Math.round(process.uptime()),
    };
  };
}

/** `GET /health/live`: the process answers. */
export const getLive: Middleware = (ctx) => {
  ctx.body = { status: 'live' };
};

/** `GET /health/ready`: this broker may get traffic. */
export function getReady({ store, accepting }: Services): Middleware {
  return async (ctx) => {
    let status = 'ready';
    if (!accepting()) status = 'draining';
    else {
      await store.ping().catch(() => {
        status = 'store_unavailable';
      });
    }
    ctx.status = status === 'ready' ? 200 : 503;
    ctx.body = { status };
  };
}
