import { once } from 'node:events';
import { Readable } from 'node:stream';
import { errors, Pool } from 'undici';
import type { Outcome } from '../../machines/events.ts';
import { retryAfterMs } from '../back-off.ts';
import { Deadlines } from '../deadlines.ts';
import { type Trace, traceHeaders } from '../trace.ts';
import { WorkerCall, WorkerProtocolFault } from './call.ts';

export type WorkerSettings = {
  /** An origin. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly timeoutMs: number;
};

/**
 * What came of a call: open with its first event there, to be tried again, or over. `reached`: the worker itself
 * answered, rather than nobody, or a gateway before it.
 */
export type Opened =
  | { readonly type: 'opened' }
  | { readonly type: 'refused'; readonly reached: boolean; readonly reason: string; readonly retryAfterMs: number }
  | { readonly type: 'ended'; readonly reached: boolean; readonly outcome: Outcome };

/** What is sent to the worker: the payload as it is. It is taken once, and a large one let go of when it has been sent. */
export type WorkerMessage = {
  readonly id: string;
  readonly takePayload: () => string;
  readonly attempt: number;
  readonly trace: Trace;
};

const RETRYABLE = new Set([429, 502, 503, 504]);
const PROBE_TIMEOUT_MS = 3000;
/** A payload of more characters is not kept until the answer has ended. */
const LARGE_PAYLOAD_CHARS = 65_536;

/** Speaks to the AI engine. */
export class Worker {
  readonly #settings: WorkerSettings;
  readonly #pool: Pool;
  readonly #deadlines = new Deadlines();
  /** What each call has. */
  readonly #headers: readonly string[];

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    // No limit on connections: the slots bound the calls, and a pool's limit would park them silently.
    this.#pool = new Pool(settings.baseUrl, {
      connect: { timeout: settings.connectTimeoutMs },
      headersTimeout: settings.idleTimeoutMs,
      bodyTimeout: settings.idleTimeoutMs,
      pipelining: 1,
    });
    const authorization = settings.apiKey ? ['authorization', `Bearer ${settings.apiKey}`] : [];
    this.#headers = ['content-type', 'application/json', 'accept', 'text/event-stream', ...authorization];
  }

  /** Begins a call, which goes on until its response ends or it is closed. What comes of it, `opened` tells. */
  call({ id, takePayload, attempt, trace }: WorkerMessage): WorkerCall {
    const call = new WorkerCall(this.#deadlines, this.#settings.timeoutMs);
    const payload = takePayload();
    const headers = [...this.#headers, 'idempotency-key', id, 'x-attempt', String(attempt)];
    for (const [name, value] of Object.entries(traceHeaders(trace))) headers.push(name, value);
    let body: string | Readable = payload;
    if (payload.length > LARGE_PAYLOAD_CHARS) {
      headers.push('content-length', String(Buffer.byteLength(payload)));
      body = readOnce(payload);
    }
    this.#pool.dispatch({ method: 'POST', path: '/api/v1/chat/stream', headers, body }, call);
    return call;
  }

  /** Waits for a call's first event. Throws only when the call was closed. */
  async opened(call: WorkerCall): Promise<Opened> {
    try {
      if (await call.begin()) return { type: 'opened' };
      if (call.status !== 200) return refusal(call);
      return { type: 'ended', reached: true, outcome: this.broken(new Error('it sent no event')) };
    } catch (error) {
      if (call.closed) throw error;
      const spoke = error instanceof WorkerProtocolFault;
      if (isTimeout(error) || spoke) return { type: 'ended', reached: spoke, outcome: this.broken(error) };
      const reason = `the worker cannot be reached (${codeOf(error)})`;
      return { type: 'refused', reached: false, reason, retryAfterMs: 0 };
    }
  }

  /** How a message ends whose stream broke. */
  broken(error: unknown): Outcome {
    const { idleTimeoutMs, timeoutMs } = this.#settings;
    if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
      return failed('worker_timeout', `The worker sent nothing for ${idleTimeoutMs / 1000} s.`);
    }
    if (isTimeout(error)) return failed('worker_timeout', `The worker took longer than ${timeoutMs / 1000} s.`);
    return failed('worker_stream_broken', `The worker's stream broke off before its end (${codeOf(error)}).`);
  }

  /** True when the worker says that it is well. */
  async healthy(): Promise<boolean> {
    const tooLate = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    // undici heeds a signal only once there is a connection; then it sends nothing.
    return Promise.race([this.#probe(tooLate), once(tooLate, 'abort').then(() => false)]);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #probe(signal: AbortSignal): Promise<boolean> {
    try {
      const { statusCode, body } = await this.#pool.request({ method: 'GET', path: '/health', signal });
      await body.dump();
      return statusCode === 200;
    } catch {
      return false;
    }
  }
}

export function failed(code: string, error: string): Outcome {
  return { status: 'failed', code, error };
}

function refusal({ status, text, retryAfter }: WorkerCall): Opened {
  if (RETRYABLE.has(status)) {
    const reason = `the worker answered ${status}`;
    return { type: 'refused', reached: status === 429, reason, retryAfterMs: retryAfterMs(retryAfter) };
  }
  if (status === 401 || status === 403) {
    const error = `The worker refuses the broker's key (${status}); its WORKER_API_KEY must be set right.`;
    return { type: 'ended', reached: true, outcome: failed('worker_unauthorized', error) };
  }
  const code = status < 500 ? 'worker_rejected' : 'worker_error';
  return { type: 'ended', reached: true, outcome: failed(code, `The worker answered ${status}: ${sentence(text)}`) };
}

/** Lets go of a payload as it is sent: as a text, undici keeps it until the answer has ended. */
function readOnce(payload: string): Readable {
  let unread: string | undefined = payload;
  return new Readable({
    read() {
      this.push(unread === undefined ? null : Buffer.from(unread));
      unread = undefined;
    },
  });
}

/** The worker's own words, when it gave any. */
function sentence(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === 'object' && parsed !== null && 'error' in parsed && typeof parsed.error === 'string') {
      return parsed.error;
    }
  } catch {
    // Not JSON: told as it is.
  }
  return body.trim().slice(0, 200) || 'it gave no reason';
}

function isTimeout(error: unknown): boolean {
  return (
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    (error instanceof DOMException && error.name === 'TimeoutError')
  );
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
