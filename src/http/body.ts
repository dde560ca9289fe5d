import type { Context, Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import { Refusal } from '../errors.ts';

/** What nearly every client says its body is; all else is taken apart to be understood. */
const PLAIN_JSON = /^application\/json(?:; ?charset=utf-8)?$/i;
/** Smaller bodies are let in whatever there is besides: they are no danger, and are not even counted. */
const SMALL_BYTES = 65_536;
/** A large body is read and stored in about this time. */
const FULL_RETRY_AFTER_SECONDS = 2;

/** The large request bodies that are in memory, being read or not in the store yet, and the bound on them. */
export class Bodies {
  /** The largest that is read. */
  readonly maxBytes: number;
  readonly #allBytes: number;
  readonly #held = new WeakMap<Context, number>();
  #bytes = 0;

  /** `maxBytes`: of one; `allBytes`: of all together, but that one alone always has room. */
  constructor(maxBytes: number, allBytes: number) {
    this.maxBytes = maxBytes;
    this.#allBytes = allBytes;
  }

  /** Counts the body of a request as so large, until it is released; false, and all as before, without room for that. */
  hold(ctx: Context, bytes: number): boolean {
    if (bytes <= SMALL_BYTES) return true;
    const others = this.#bytes - (this.#held.get(ctx) ?? 0);
    if (others > 0 && others + bytes > this.#allBytes) return false;
    this.#held.set(ctx, bytes);
    this.#bytes = others + bytes;
    return true;
  }

  /** The body of a request is not in memory any more, or was never counted. */
  release(ctx: Context): void {
    this.#bytes -= this.#held.get(ctx) ?? 0;
    this.#held.delete(ctx);
  }
}

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

/** Reads the body as JSON, whatever type it is said to have, if there is room for it. */
export function jsonBody(bodies: Bodies): Middleware {
  // Not strict: `null` and the like are JSON, and it is for the schema to say what else they should be.
  const jsonLimit = String(bodies.maxBytes);
  const options = { enableTypes: ['json'], jsonLimit, strict: false, onProtoPoisoning: 'remove' };
  const parse = bodyParser({ ...options, detectJSON: () => true });
  const read = async (ctx: Context) => {
    // It would keep what it has read for as long as whoever comes next is at it.
    await parse(ctx, async () => {});
    if (!ctx.request.rawBody) throw new Refusal(400, 'malformed_json', 'The body is empty. Send one JSON object.');
    ctx.request.rawBody = '';
  };
  return async (ctx, next) => {
    if (isSmall(ctx)) {
      await read(ctx);
      await next();
      return;
    }
    const stopCounting = count(ctx, bodies);
    try {
      await read(ctx);
      stopCounting();
      await next();
    } finally {
      stopCounting();
      bodies.release(ctx);
      // What is left of a body that is refused is read, too: the connection would else be of no more use.
      ctx.req.unpipe().resume();
    }
  };
}

/** It says so, and that it will not grow when it is unpacked. */
function isSmall({ req: { headers } }: Context): boolean {
  return Number(headers['content-length']) <= SMALL_BYTES && headers['content-encoding'] === undefined;
}

/** The body that was read. The request does not keep it: it may be large, and the answer to it long in coming. */
export function takeBody({ request }: Context): unknown {
  const { body } = request;
  request.body = undefined;
  return body;
}

/** Counts a body by the size it gives; one that gives none, as it comes in, until the answer of this is called. */
function count(ctx: Context, bodies: Bodies): () => void {
  const { req } = ctx;
  const { 'content-length': length, 'content-encoding': encoding = 'identity' } = req.headers;
  const compressed = encoding !== 'identity';
  let bytes = compressed ? bodies.maxBytes : Number(length ?? 0);
  // What is larger than may be is not read at all.
  if (bytes <= bodies.maxBytes && !bodies.hold(ctx, bytes)) throw full();
  const grow = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bodies.hold(ctx, bytes)) return;
    stop();
    // The parser leaves it as after any other fault.
    req.emit('error', full());
  };
  const stop = () => void req.off('data', grow);
  if (length === undefined && !compressed) req.on('data', grow);
  return stop;
}

function full(): Refusal {
  const detail = 'The broker holds as many large bodies as it has memory for. Nothing was accepted; send it again.';
  return new Refusal(503, 'bodies_full', detail, { retryAfterSeconds: FULL_RETRY_AFTER_SECONDS });
}
