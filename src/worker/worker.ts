import { Agent, type Dispatcher, errors, request } from 'undici';
import type { Outcome } from '../../machines/events.ts';
import { retryAfterMs } from '../back-off.ts';
import { type Trace, traceHeaders } from '../trace.ts';
import { Deadline, WorkerCall, WorkerProtocolFault } from './call.ts';

export type WorkerSettings = {
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
  | { readonly type: 'opened'; readonly call: WorkerCall }
  | { readonly type: 'refused'; readonly reached: boolean; readonly reason: string; readonly retryAfterMs: number }
  | { readonly type: 'ended'; readonly reached: boolean; readonly outcome: Outcome };

/** What is sent to the worker: `payload` as it is. */
export type WorkerMessage = {
  readonly id: string;
  readonly payload: string;
  readonly attempt: number;
  readonly trace: Trace;
};

type RequestOptions = Pick<Dispatcher.RequestOptions, 'method' | 'headers' | 'body'>;

const RETRYABLE = new Set([429, 502, 503, 504]);
/** More of an error's body than this tells a person nothing. */
const MAX_ERROR_CHARS = 2000;
const PROBE_TIMEOUT_MS = 3000;

/** Speaks to the AI engine. */
export class Worker {
  readonly #settings: WorkerSettings;
  readonly #agent: Agent;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    // No limit on connections: the slots bound the calls, and a pool's limit would park them silently.
    this.#agent = new Agent({
      connect: { timeout: settings.connectTimeoutMs },
      headersTimeout: settings.idleTimeoutMs,
      bodyTimeout: settings.idleTimeoutMs,
      pipelining: 1,
    });
  }

  /** Makes the call and waits for its first event. Leaving by `signal` breaks it off. Throws only what `signal` does. */
  async open(message: WorkerMessage, signal: AbortSignal): Promise<Opened> {
    const { baseUrl, apiKey, timeoutMs } = this.#settings;
    const deadline = new Deadline(timeoutMs);
    const leave = () => deadline.abort(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    let opened = false;
    try {
      const response = await this.#request(`${baseUrl}/api/v1/chat/stream`, deadline.signal, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'text/event-stream',
          'idempotency-key': message.id,
          'x-attempt': String(message.attempt),
          ...traceHeaders(message.trace),
          ...(apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
        },
        body: message.payload,
      });
      if (response.statusCode !== 200) {
        const text = await beginning(response.body);
        return refusal(response.statusCode, text, response.headers['retry-after']);
      }
      const call = new WorkerCall(response.body, deadline);
      opened = await call.begin();
      if (opened) return { type: 'opened', call };
      return { type: 'ended', reached: true, outcome: this.broken(new Error('it sent no event')) };
    } catch (error) {
      if (signal.aborted) throw error;
      const spoke = error instanceof WorkerProtocolFault;
      if (isTimeout(error) || spoke) return { type: 'ended', reached: spoke, outcome: this.broken(error) };
      const reason = `the worker cannot be reached (${codeOf(error)})`;
      return { type: 'refused', reached: false, reason, retryAfterMs: 0 };
    } finally {
      signal.removeEventListener('abort', leave);
      if (!opened) deadline.clear();
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
    try {
      const { statusCode, body } = await this.#request(
        `${this.#settings.baseUrl}/health`,
        AbortSignal.timeout(PROBE_TIMEOUT_MS),
        { method: 'GET' },
      );
      await body.dump();
      return statusCode === 200;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Asks the worker until `signal` aborts. undici heeds that only once there is a connection; then it sends nothing. */
  async #request(url: string, signal: AbortSignal, options: RequestOptions): Promise<Dispatcher.ResponseData> {
    const aborted = Promise.withResolvers<never>();
    const leave = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([request(url, { ...options, dispatcher: this.#agent, signal }), aborted.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }
}

export function failed(code: string, error: string): Outcome {
  return { status: 'failed', code, error };
}

function refusal(status: number, body: string, retryAfter: string | string[] | undefined): Opened {
  if (RETRYABLE.has(status)) {
    const reason = `the worker answered ${status}`;
    return { type: 'refused', reached: status === 429, reason, retryAfterMs: retryAfterMs(retryAfter) };
  }
  if (status === 401 || status === 403) {
    const error = `The worker refuses the broker's key (${status}); its WORKER_API_KEY must be set right.`;
    return { type: 'ended', reached: true, outcome: failed('worker_unauthorized', error) };
  }
  const code = status < 500 ? 'worker_rejected' : 'worker_error';
  return { type: 'ended', reached: true, outcome: failed(code, `The worker answered ${status}: ${sentence(body)}`) };
}

/** As much of an error's body as is worth telling. */
async function beginning(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= MAX_ERROR_CHARS) break;
  }
  return text.slice(0, MAX_ERROR_CHARS);
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
