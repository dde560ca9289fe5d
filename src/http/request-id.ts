import type { Context, Middleware } from 'koa';
import { newId } from '../ids.ts';

/** Names each request: as the client does if that is a sane name, so that its logs and ours can be laid side by side. */
export const requestId: Middleware = (ctx, next) => {
  const given = ctx.get('X-Request-Id');
  const id = /^[\x21-\x7e]{1,128}$/.test(given) ? given : newId();
  ctx.state['requestId'] = id;
  ctx.set('X-Request-Id', id);
  return next();
};

/** The name of a request. */
export function requestIdOf(ctx: Context): string {
  return String(ctx.state['requestId']);
}
