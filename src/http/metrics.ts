import type { Middleware } from 'koa';
import type { Services } from './app.ts';

/** `GET /metrics`: what Prometheus scrapes. */
export function getMetrics({ metrics }: Services): Middleware {
  return async (ctx) => {
    const { type, text } = await metrics.read();
    ctx.type = type;
    ctx.body = text;
  };
}
