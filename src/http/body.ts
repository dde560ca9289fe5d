import type { Context, Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import { Refusal } from '../errors.ts';

/** What nearly every client says its body is; all else is taken apart to be understood. */
const PLAIN_JSON = /^application\/json(?:; ?charset=utf-8)?$/i;

/** Lets only JSON in UTF-8 pass. */
export const jsonOnly: Middleware = (ctx, next) => {
  if (!PLAIN_JSON.test(ctx.get('Content-Type')) && !isJson(ctx)) {
    const detail = 'The body must be JSON in UTF-8, with Content-Type: application/json.';
    throw new Refusal(415, 'wrong_content_type', detail);
  }
  return next();
};

function isJson(ctx: Context): boolean {
  const charset = ctx.request.charset.toLowerCase();
  // A header that cannot be read is left aside by the parser, and the body with it.
  const readable = !ctx.get('Content-Type').includes(';') || ctx.get('Content-Type').includes('=');
  return Boolean(ctx.is('application/json')) && readable && (!charset || charset === 'utf-8' || charset === 'utf8');
}

/** Reads the body as JSON, whatever type it is said to have: at most so many bytes. */
export function jsonBody(maxBytes: number): Middleware {
  // Not strict: `null` and the like are JSON, and it is for the schema to say what else they should be.
  const options = { enableTypes: ['json'], jsonLimit: String(maxBytes), strict: false, onProtoPoisoning: 'remove' };
  const parse = bodyParser({ ...options, detectJSON: () => true });
  return async (ctx, next) => {
    await parse(ctx, async () => {
      if (!ctx.request.rawBody) throw new Refusal(400, 'malformed_json', 'The body is empty. Send one JSON object.');
      await next();
    });
  };
}
