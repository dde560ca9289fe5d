import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Context, Middleware } from 'koa';
import type { Logger } from 'pino';
import { causeOf, Refusal, StoreUnavailable } from '../errors.ts';
import { newId } from '../ids.ts';
import { writeLine } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { requestIdOf } from './request-id.ts';

/** Answers every fault, thrown or left by the router, as problem details (RFC 9457). The only place that does. */
export function problems(log: Logger, metrics: Metrics): Middleware {
  return async (ctx, next) => {
    try {
      await next();
      if (ctx.respond !== false && ctx.body == null && ctx.status >= 400) throw unrouted(ctx);
    } catch (error) {
      const refusal = asRefusal(error);
      metrics.refusals.inc({ code: refusal.code });
      logRefusal(log, ctx, refusal, error);
      if (ctx.headerSent) ctx.res.destroy();
      else answer(ctx, refusal);
    }
  };
}

/** One line for each no, so that its X-Request-Id leads somewhere. No query: it may hold a token. */
export function logRefusal(
  log: Logger,
  ctx: Context,
  { status, code }: { readonly status: number; readonly code: string },
  error: unknown,
): void {
  // Nobody was refused what nobody waits for any more.
  const serious = status >= 429 && !ctx.res.destroyed;
  const level = status === 500 ? 'error' : !serious ? 'debug' : status === 429 ? 'info' : 'warn';
  writeLine(log, level, status === 500 ? 'a request failed' : 'a request was refused', () => ({
    request_id: requestIdOf(ctx),
    method: ctx.method,
    path: ctx.path,
    status,
    code,
    reason: error instanceof StoreUnavailable ? causeOf(error) : undefined,
    err: status === 500 ? error : undefined,
  }));
}

/** Answers what is no HTTP request that could reach a route. */
export function refuseRequest(log: Logger, error: Error, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const large = 'code' in error && error.code === 'HPE_HEADER_OVERFLOW';
  const refusal = large
    ? new Refusal(431, 'headers_too_large', 'The path and the headers together are larger than 16 kB. Send less.')
    : new Refusal(400, 'malformed_request', 'This is not a valid HTTP/1.1 request.');
  const requestId = newId();
  const { status, code } = refusal;
  writeLine(log, 'debug', 'a request was refused', () => ({ request_id: requestId, status, code }));
  const body = JSON.stringify(problemOf(refusal));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function answer(ctx: Context, refusal: Refusal): void {
  ctx.respond = true;
  ctx.status = refusal.status;
  if (refusal.status === 401) ctx.set('WWW-Authenticate', 'Bearer');
  if (refusal.retryAfterSeconds !== undefined) ctx.set('Retry-After', String(refusal.retryAfterSeconds));
  ctx.body = JSON.stringify(problemOf(refusal));
  ctx.type = 'application/problem+json';
}

function problemOf(refusal: Refusal) {
  return {
    type: 'about:blank',
    title: STATUS_CODES[refusal.status],
    status: refusal.status,
    code: refusal.code,
    detail: refusal.message,
    ...(refusal.errors ? { errors: refusal.errors } : {}),
  };
}

/** The fault that a client is told of, whatever was thrown. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof StoreUnavailable) {
    // It may have done what was asked without being able to say so.
    const detail =
      'The store does not answer. Try again; a message with the same client_message_id is accepted only once.';
    return new Refusal(503, 'store_unavailable', detail, { retryAfterSeconds: 2 });
  }
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  const type = error instanceof Error && 'type' in error ? error.type : undefined;
  if (status === 413) {
    return new Refusal(413, 'body_too_large', 'The body is larger than this broker takes (MAX_BODY_BYTES). Send less.');
  }
  if (status === 415) {
    const detail = 'The body must be JSON in UTF-8, with Content-Type: application/json, plain, gzip, deflate or br.';
    return new Refusal(415, 'wrong_content_type', detail);
  }
  if (type === 'request.aborted') return new Refusal(400, 'body_incomplete', 'The body ended early. Send it again.');
  if (error instanceof Error && 'code' in error && /^(Z_|ERR__|ERR_BROTLI)/.test(String(error.code))) {
    return new Refusal(400, 'malformed_encoding', 'The body is not what its Content-Encoding says. Send it plain.');
  }
  if (status === 400) {
    return new Refusal(400, 'malformed_json', 'The body is not valid JSON, or nothing at all. Send one JSON object.');
  }
  return new Refusal(
    500,
    'internal_error',
    'The broker failed at this request. Its log tells why, under this request id.',
  );
}

function unrouted(ctx: Context): Refusal {
  if (ctx.status === 405 || ctx.status === 501) {
    const allowed = ctx.response.get('Allow');
    return new Refusal(
      405,
      'method_not_allowed',
      `${ctx.method} is not possible here. Use ${allowed || 'another path'}.`,
    );
  }
  return new Refusal(404, 'not_found', 'There is nothing at this path. GET /docs lists the paths there are.');
}
