import Router from '@koa/router';
import Koa, { type Middleware } from 'koa';
import type { Logger } from 'pino';
import type { Sweeper } from '../actors/sweeper.ts';
import type { Users } from '../actors/users.ts';
import type { WorkerHealth } from '../actors/worker-health.ts';
import type { Endpoints } from '../callbacks/endpoint.ts';
import type { Tokens } from '../callbacks/tokens.ts';
import type { Overview } from '../dashboard/overview.ts';
import { Refusal } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { Store } from '../store/store.ts';
import type { Hub } from '../stream/hub.ts';
import type { Origins } from '../worker/origins.ts';
import { mustHoldKey } from './auth.ts';
import { type Bodies, jsonBody, jsonOnly } from './body.ts';
import { allowOrigins } from './cors.ts';
import { dashboardRouter, getDashboardDeadLetters, getDashboardEvents, getDashboardStream } from './dashboard.ts';
import { deleteDeadLetter, getDeadLetters } from './dead-letters.ts';
import { docsRouter, getOpenApi } from './docs/docs.ts';
import { engineRouter } from './engine/engine.ts';
import type { Passthrough } from './engine/passthrough.ts';
import { getHealth, getLive, getReady } from './health.ts';
import { postMessage } from './intake.ts';
import type { Keys } from './keys.ts';
import { deleteMessage, getMessage, retryMessage } from './message.ts';
import { getMetrics } from './metrics.ts';
import { problems } from './problem.ts';
import { deleteQueue, getQueue } from './queue.ts';
import { requestId } from './request-id.ts';
import { getStream } from './stream.ts';

/** What the routes need of the rest. */
export type Services = {
  readonly store: Store;
  readonly users: Users;
  readonly hub: Hub;
  readonly sweeper: Sweeper;
  readonly overview: Overview;
  readonly workerHealth: WorkerHealth;
  readonly endpoints: Endpoints;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly keys: Keys;
  readonly tokens: Tokens;
  readonly origins: Origins;
  readonly passthrough: Passthrough;
  /** Whether the engine's administration is passed through, too. */
  readonly passthroughAdmin: boolean;
  /** Whether the dashboard shows what people and the worker wrote. */
  readonly dashboardShowsContent: boolean;
  /** Origins whose pages may call the broker. */
  readonly corsOrigins: ReadonlySet<string>;
  readonly bodies: Bodies;
  /** Messages that may wait in the whole store. */
  readonly maxWaiting: number;
  readonly version: string;
  /** False once the broker has begun to stop. */
  readonly accepting: () => boolean;
};

/** The broker's HTTP surface. */
export function createApp(services: Services): Koa {
  const health = new Router();
  health.get('/health', getHealth(services));
  health.get('/health/live', getLive);
  health.get('/health/ready', getReady(services));

  const guard: Middleware = (ctx, next) => {
    mustHoldKey(services.keys, ctx);
    mustBeWellFormed(ctx.path);
    return next();
  };
  const api = new Router({ prefix: '/api/v1' });
  api.use(guard);
  api.post('/message', jsonOnly, jsonBody(services.bodies), postMessage(services));
  api.get('/stream', getStream(services));
  api.get('/queue/:user_id', getQueue(services));
  api.delete('/queue/:user_id', deleteQueue(services));
  api.get('/queue/:user_id/messages/:message_id', getMessage(services));
  api.delete('/queue/:user_id/messages/:message_id', deleteMessage(services));
  api.post('/queue/:user_id/messages/:message_id/retry', retryMessage(services));
  api.get('/dead-letters', getDeadLetters(services));
  api.delete('/dead-letters/:message_id', deleteDeadLetter(services));
  api.get('/dashboard/events', getDashboardEvents(services));
  api.get('/dashboard/stream', getDashboardStream(services));
  api.get('/dashboard/dead-letters', getDashboardDeadLetters(services));

  const operator = new Router();
  operator.get('/metrics', getMetrics(services));
  operator.get('/openapi.json', getOpenApi(services));

  const app = new Koa();
  app.silent = true;
  app.use(requestId);
  app.use(problems(services.log, services.metrics));
  if (services.corsOrigins.size) app.use(allowOrigins(services.corsOrigins));
  // Messages come first: each router costs whatever does not end in it.
  app.use(api.routes());
  app.use(engineRouter(services).routes());
  app.use(health.routes());
  app.use(docsRouter().routes());
  app.use(dashboardRouter().routes());
  app.use(guard);
  app.use(operator.routes());
  // The paths that any of them knows, not only its own.
  app.use(api.allowedMethods());
  return app;
}

/** The router would take a path that cannot be decoded as it is, and with it a user who does not exist. */
function mustBeWellFormed(path: string): void {
  if (!path.includes('%')) return;
  try {
    decodeURIComponent(path);
  } catch {
    const detail = 'The path is not valid percent-encoding. Encode it as UTF-8.';
    throw new Refusal(400, 'malformed_path', detail);
  }
}
