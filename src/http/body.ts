import type { Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import { Refusal } from '../errors.ts';

/** Lets only JSON in UTF-8 pass. */
export const jsonOnly: Middleware = async (ctx, next) => {
  const charset = ctx.request.charset.toLowerCase();
  // A header that cannot be read is left aside by the parser, and the body with it.
  const readable = !ctx.get('Content-Type').includes(';') || ctx.get('Content-Type').includes('=');
  if (!ctx.is('application/json') || !readable || (charset && charset !== 'utf-8' && charset !== 'utf8')) {
    const detail = 'The body must be JSON in UTF-8, with Content-Type: application/json.';
    throw new Refusal(415, 'wrong_content_type', detail);
  }
  await next();
};

/** Reads a JSON body of at most so many bytes. */
export function jsonBody(maxBytes: number, { ofAnyType = false } = {}): Middleware {
  // Not strict: `null` and the like are JSON, and it is for the schema to say what else they should be.
  const options = { enableTypes: ['json'], jsonLimit: String(maxBytes), strict: false, onProtoPoisoning: 'remove' };
  const parse = bodyParser({ ...options, ...(ofAnyType ? { detectJSON: () => true } : {}) });
  return async (ctx, next) => {
    await parse(ctx, async () => {
      if (!ctx.request.rawBody) throw new Refusal(400, 'malformed_json', 'The body is empty. Send one JSON object.');
      await next();
    });
  };
}
