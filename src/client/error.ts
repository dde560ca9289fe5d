import { list, object, optional, parseJson, text } from './guard.ts';

/** A field of a request that is wrong, and why. */
export type FieldFault = {
  /** Name of the field; empty for the whole body. */
  readonly path: string;
  readonly message: string;
};

/** Codes of faults that this side finds. */
export type ClientCode =
  /** No answer came, or it broke off: nobody listens there, or the network failed. `cause` is what `fetch` threw. */
  | 'unreachable'
  /** The event stream ended too early, or left an event out. */
  | 'stream_broken'
  /** The message's log ends before `lastEventId`, or before what was read of it: ask for the message itself. */
  | 'log_cut_short'
  /** The answer is none of a broker's: `url` is wrong, or something stands in between. */
  | 'unexpected_answer';

type Details = {
  readonly errors?: readonly FieldFault[];
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
};

/** The broker's no, or its silence. */
export class BrokerError extends Error {
  /** HTTP status; 0 when there was no whole answer. */
  readonly status: number;
  /** Stable: one of the broker's (docs/api.md, Errors), or a `ClientCode`. */
  readonly code: string;
  /** A sentence that says what to do. */
  readonly detail: string;
  /** With `invalid_fields`: each wrong field. */
  readonly errors: readonly FieldFault[];
  /** How soon to try again, in milliseconds, if the broker said so. */
  readonly retryAfterMs: number | undefined;
  /** Under which the broker's log tells of it. */
  readonly requestId: string | undefined;

  constructor(status: number, code: string, detail: string, details: Details = {}) {
    super(detail, details.cause === undefined ? {} : { cause: details.cause });
    this.name = 'BrokerError';
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.errors = details.errors ?? [];
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
  }

  /** The same request may do better later: no whole answer came, or one of `502`, `503`, `504`. */
  get passing(): boolean {
    return [0, 502, 503, 504].includes(this.status);
  }
}

/** A fault found on this side. */
export function clientFault(status: number, code: ClientCode, detail: string, cause?: unknown): BrokerError {
  return new BrokerError(status, code, detail, { cause });
}

const problem = object({
  code: text,
  detail: text,
  errors: optional(list(object({ path: text, message: text }))),
});

/** What a response with a status of 400 and more says. */
export function faultOf(response: Response, body: string): BrokerError {
  const { status, headers } = response;
  const said = parseJson(body);
  const details = {
    retryAfterMs: retryAfterMs(headers.get('Retry-After')),
    requestId: headers.get('X-Request-Id') ?? undefined,
  };
  if (problem(said)) return new BrokerError(status, said.code, said.detail, { ...details, errors: said.errors ?? [] });
  const detail = `The answer is HTTP ${status}, and not a broker's. Check the URL, and what stands between here and there.`;
  return new BrokerError(status, 'unexpected_answer' satisfies ClientCode, detail, details);
}

/** The header holds seconds or a date. */
function retryAfterMs(header: string | null): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
