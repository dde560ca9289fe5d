import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { type Keys, keyOf } from './keys.ts';

/** Refuses who holds no key; to a message's events who has its token may pass, too. */
export function mustHoldKey(keys: Keys, ctx: Context): void {
  if (!keys.required) return;
  const given = keyOf(ctx);
  const token = ctx.path === '/api/v1/stream' ? ctx.query['token'] : undefined;
  if (token !== undefined && opens(keys, ctx.query)) return;
  if (!given) throw token === undefined ? missingKey() : invalidToken();
  if (!keys.know(given)) throw new Refusal(403, 'invalid_key', 'Invalid API key');
}

/** A browser's `EventSource` can send no header. */
function opens(keys: Keys, { token, user_id, message_id }: Readonly<Record<string, unknown>>): boolean {
  const given = [token, user_id, message_id].every((value) => typeof value === 'string');
  return given && keys.open(String(token), String(user_id), String(message_id));
}

function missingKey(): Refusal {
  return new Refusal(401, 'missing_key', 'Missing X-API-Key header');
}

function invalidToken(): Refusal {
  return new Refusal(
    401,
    'invalid_token',
    'This token does not open this stream. Ask your server for a new stream_url.',
  );
}
