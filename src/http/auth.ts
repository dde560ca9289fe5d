import type { Middleware } from 'koa';
import { Refusal } from '../errors.ts';
import { type Keys, keyOf } from './keys.ts';

/** Lets only holders of a key pass; to a message's events also who has its token. */
export function authenticate(keys: Keys): Middleware {
  return async (ctx, next) => {
    if (keys.required && !(ctx.path === '/api/v1/stream' && hasToken(keys, ctx.query))) {
      const given = keyOf(ctx);
      if (!given) throw new Refusal(401, 'missing_key', 'Missing X-API-Key header');
      if (!keys.know(given)) throw new Refusal(403, 'invalid_key', 'Invalid API key');
    }
    await next();
  };
}

/** A browser's `EventSource` can send no header. */
function hasToken(keys: Keys, { token, user_id, message_id }: Readonly<Record<string, unknown>>): boolean {
  const given = [token, user_id, message_id].every((value) => typeof value === 'string');
  return given && keys.open(String(token), String(user_id), String(message_id));
}
