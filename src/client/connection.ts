import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { type BrokerError, clientFault, faultOf } from './error.ts';
import { type Guard, parseJson } from './guard.ts';

/** The slowest line that a body is given time for. */
const SLOWEST_BYTES_PER_MS = 8;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

type Settings = {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly fetch: Fetch;
  readonly idleMs: number;
};

type Request = {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: unknown;
  /** Statuses of 400 and more that are answers like others. */
  readonly also?: readonly number[];
  readonly signal?: AbortSignal | undefined;
};

/** Told of how soon to come back, in milliseconds. */
type Hearing = (ms: number) => void;

/** Requests to one broker. All throw BrokerError, or the signal's reason. */
export class Connection {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** For so long it may be silent. */
  get idleMs(): number {
    return this.#settings.idleMs;
  }

  /** Asks for JSON. */
  async ask<Answer>(path: string, answer: Guard<Answer>, request: Request = {}): Promise<Answer> {
    const leave = new AbortController();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers = {
      Accept: 'application/json',
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    };
    const patience = this.#settings.idleMs + (body?.length ?? 0) / SLOWEST_BYTES_PER_MS;
    const response = await this.#fetch(
      path,
      { method: request.method ?? 'GET', headers, body: body ?? null },
      patience,
      leave,
      request.signal,
    );
    const said = await this.#within(this.#settings.idleMs, leave, request.signal, response.text());
    if (!response.ok && !request.also?.includes(response.status)) throw faultOf(response, said);
    const value = parseJson(said);
    if (answer(value)) return value;
    throw this.#unexpected(response.status, 'not the JSON that a broker answers');
  }

  /** Opens an event stream: every event up to the end of the response. Undefined when none will come any more (`204`). */
  async open(
    path: string,
    onRetry: Hearing,
    signal?: AbortSignal,
  ): Promise<AsyncGenerator<EventSourceMessage, void> | undefined> {
    const leave = new AbortController();
    const { idleMs } = this.#settings;
    const response = await this.#fetch(path, { headers: { Accept: 'text/event-stream' } }, idleMs, leave, signal);
    if (response.status === 204) return undefined;
    if (!response.ok) throw faultOf(response, await this.#within(idleMs, leave, signal, response.text()));
    const { body } = response;
    if (!body || !response.headers.get('Content-Type')?.startsWith('text/event-stream')) {
      leave.abort();
      throw this.#unexpected(response.status, 'no event stream');
    }
    return this.#events(body, leave, signal, onRetry);
  }

  async *#events(
    body: ReadableStream<Uint8Array>,
    leave: AbortController,
    signal: AbortSignal | undefined,
    onRetry: Hearing,
  ): AsyncGenerator<EventSourceMessage, void> {
    const batch: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (event) => batch.push(event), onRetry });
    const reader = body.getReader();
    const decoder = new TextDecoder();
    try {
      for (;;) {
        const { done, value } = await this.#within(this.#settings.idleMs, leave, signal, reader.read());
        if (done) return;
        parser.feed(decoder.decode(value, { stream: true }));
        yield* batch.splice(0);
      }
    } finally {
      leave.abort();
    }
  }

  #fetch(path: string, init: RequestInit, patienceMs: number, leave: AbortController, signal: AbortSignal | undefined) {
    const { url, apiKey, fetch } = this.#settings;
    const headers = new Headers(init.headers);
    // A link of the broker's may be a whole one; the key is for the broker alone. It goes into Authorization because
    // that, unlike X-API-Key, does not follow a redirect to somebody else.
    const own = path.startsWith('/') && !path.startsWith('//');
    if (apiKey !== undefined && (own || path.startsWith(`${url}/`))) headers.set('Authorization', `Bearer ${apiKey}`);
    const signals = signal ? AbortSignal.any([leave.signal, signal]) : leave.signal;
    const work = fetch(own ? `${url}${path}` : path, { ...init, headers, cache: 'no-store', signal: signals });
    return this.#within(patienceMs, leave, signal, work);
  }

  /** What `work` comes to. Breaks it off when that takes longer than `ms`, and tells every failure of the network as one. */
  async #within<Answer>(
    ms: number,
    leave: AbortController,
    signal: AbortSignal | undefined,
    work: Promise<Answer>,
  ): Promise<Answer> {
    let silent: BrokerError | undefined;
    const timer = setTimeout(() => {
      silent = clientFault(0, 'unreachable', `${this.#name} has said nothing for ${Math.round(ms / 1000)} s.`);
      leave.abort(silent);
    }, ms);
    try {
      return await work;
    } catch (error) {
      signal?.throwIfAborted();
      throw silent ?? clientFault(0, 'unreachable', `${this.#name} cannot be reached, or the connection broke.`, error);
    } finally {
      clearTimeout(timer);
    }
  }

  #unexpected(status: number, what: string): BrokerError {
    const detail = `The answer of ${this.#settings.url || 'this origin'} is ${what}. Check the URL, and what stands between here and there.`;
    return clientFault(status, 'unexpected_answer', detail);
  }

  get #name(): string {
    return this.#settings.url ? `The broker at ${this.#settings.url}` : 'The broker';
  }
}
