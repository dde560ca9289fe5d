import { createHash, timingSafeEqual } from 'node:crypto';
import type { Middleware } from 'koa';
import { Refusal } from '../errors.ts';

/** Lets only holders of a key pass, but for `/health*`. Without keys everyone does. */
export function authenticate(keys: readonly string[]): Middleware {
  const digests = keys.map(digest);
  return async (ctx, next) => {
    if (digests.length && !/^\/health/.test(ctx.path)) {
      const given = ctx.get('X-API-Key') || /^Bearer +([^ ].*)$/i.exec(ctx.get('Authorization'))?.[1];
      if (!given) throw new Refusal(401, 'missing_key', 'Missing X-API-Key header');
      if (!isKnown(digest(given), digests)) throw new Refusal(403, 'invalid_key', 'Invalid API key');
    }
    await next();
  };
}

/** Compares digests, which have one length, and all of them, so that time tells nothing of a key. */
function isKnown(given: Buffer, digests: readonly Buffer[]): boolean {
  let known = false;
  for (const candidate of digests) if (timingSafeEqual(given, candidate)) known = true;
  return known;
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
