import cors from '@koa/cors';
import type { Middleware } from 'koa';

/** Lets pages of these origins call the broker; no page of another origin when there are none. */
export function allowOrigins(origins: ReadonlySet<string>): Middleware {
  return cors({
    origin: (ctx) => {
      const origin = ctx.get('Origin');
      return origins.has(origin) || origins.has('*') ? origin : '';
    },
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH'],
    exposeHeaders: ['X-Request-Id', 'Retry-After', 'ETag', 'Content-Range'],
    maxAge: 600,
  });
}
