import type { Middleware } from 'koa';
import { healthOf } from '../actors/health.ts';
import { isIll } from '../actors/worker-health.ts';
import { StoreUnavailable } from '../errors.ts';
import { within } from '../patience.ts';
import type { Services } from './app.ts';
import { iso } from './message.ts';

/** Shorter than the usual patience of a platform's health check. */
const STORE_ANSWERS_WITHIN_MS = 2000;

/** `GET /health`: how the store and the worker are, and the counts kept for all queues. */
export function getHealth({ store, sweeper, workerHealth, version }: Services): Middleware {
  return async (ctx) => {
    const [sweep, worker] = await Promise.all([soon(sweeper.sweep()), workerHealth.status()]);
    const since = Math.min(isIll(worker) ? worker.since : Infinity, sweeper.illSince ?? Infinity);
    ctx.status = sweep ? 200 : 503;
    ctx.body = {
      status: healthOf(sweep ? sweeper.state : 'away', worker),
      redis_connected: sweep !== undefined,
      worker_connected: worker.connected,
      // Without the store nobody knows, and 0 would say that all is done.
      active_queues: sweep?.counts.activeQueues ?? null,
      messages_processing: sweep?.counts.processing ?? null,
      messages_waiting: sweep?.counts.waiting ?? null,
      oldest_wait_seconds: sweep ? sweep.counts.oldestWaitMs / 1000 : null,
      callbacks_waiting: sweep?.counts.callbacks ?? null,
      dead_letters: sweep?.counts.deadLetters ?? null,
      worker_circuit: worker.circuit,
      degraded_since: since < Infinity ? iso(since) : null,
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
export function getReady({ store, sweeper, accepting }: Services): Middleware {
  return async (ctx) => {
    let status = 'ready';
    if (!accepting()) status = 'draining';
    else if (sweeper.state === 'away' || !(await soon(store.ping().then(() => true)))) status = 'store_unavailable';
    ctx.status = status === 'ready' ? 200 : 503;
    ctx.body = { status };
  };
}

/** What the store answers, undefined when it does not within the patience of those who ask for its health. */
async function soon<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await within(STORE_ANSWERS_WITHIN_MS, answer);
  } catch (error) {
    if (error instanceof StoreUnavailable) return undefined;
    throw error;
  }
}
