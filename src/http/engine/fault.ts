import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import type { Refusal } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import { asRefusal, logRefusal } from '../problem.ts';

/** What is told as the engine would: `{"error"}`, or with a code and a message (recordings 07, 09, 14). */
export class EngineFault extends Error {
  readonly status: number;
  /** What it is counted and logged as: the code that it has at the broker's other doors, if they know it. */
  readonly kind: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    kind: string,
    error: string,
    more: { readonly code?: string; readonly message?: string; readonly retryAfterSeconds?: number } = {},
  ) {
    super(error);
    this.name = 'EngineFault';
    const { retryAfterSeconds, ...rest } = more;
    this.status = status;
    this.kind = kind;
    this.retryAfterSeconds = retryAfterSeconds;
    this.body = {
      error,
      ...rest,
      ...(retryAfterSeconds === undefined ? {} : { retry_after_ms: retryAfterSeconds * 1000 }),
    };
  }
}

/** Answers every fault below in the engine's own shape, and counts it. */
export function engineFaults(log: Logger, metrics: Metrics): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const fault = error instanceof EngineFault ? error : faultOf(asRefusal(error));
      metrics.refusals.inc({ code: fault.kind });
      logRefusal(log, ctx, { status: fault.status, code: fault.kind }, error);
      if (ctx.headerSent) {
        ctx.res.destroy();
        return;
      }
      ctx.respond = true;
      ctx.status = fault.status;
      if (fault.retryAfterSeconds !== undefined) ctx.set('Retry-After', String(fault.retryAfterSeconds));
      ctx.body = fault.body;
    }
  };
}

/** The broker's own no, in the engine's shape. */
function faultOf({ status, code, message, retryAfterSeconds }: Refusal): EngineFault {
  const more = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  switch (code) {
    case 'malformed_json':
      return new EngineFault(400, code, 'Invalid JSON in request body');
    case 'queue_full':
      return new EngineFault(429, code, 'Queue full', { code: 'QUEUE_FULL', message, ...more });
    default:
      return new EngineFault(status, code, message, { code: code.toUpperCase(), ...more });
  }
}
