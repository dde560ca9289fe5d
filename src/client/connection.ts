import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Address } from './address.ts';
import { type BrokerError, clientFault, faultOf } from './error.ts';
import { type Guard, parseJson } from './guard.ts';
import { after } from './time.ts';

/** The slowest line that a body is given time for. */
const SLOWEST_BYTES_PER_MS = 8;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

type Settings = {
  readonly address: Address;
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
    const said = await this.#text(response, leave, request.signal);
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
    if (!response.ok) throw faultOf(response, await this.#text(response, leave, signal));
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

  async #fetch(
    link: string,
    init: RequestInit,
    patienceMs: number,
    leave: AbortController,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const { address, apiKey, fetch } = this.#settings;
    const { url, own } = address.of(link);
    const headers = new Headers(init.headers);
    // A link of the broker's may be a whole one; the key is for the broker alone.
    if (apiKey !== undefined && own) headers.set('Authorization', `Bearer ${apiKey}`);
    const signals = signal ? AbortSignal.any([leave.signal, signal]) : leave.signal;
    // A redirect would make a GET of a POST, and go without the key to another origin.
    const whole = { ...init, headers, cache: 'no-store', redirect: 'manual', signal: signals } as const;
    const response = await this.#within(patienceMs, leave, signal, fetch(url, whole));
    if (response.type !== 'opaqueredirect' && (response.status < 300 || response.status > 399)) return response;
    leave.abort();
    throw this.#redirected(response, url);
  }

  /** The whole body, as text; each piece of it within its time. */
  async #text({ body }: Response, leave: AbortController, signal: AbortSignal | undefined): Promise<string> {
    if (!body) return '';
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let text = '';
    for (;;) {
      const { done, value } = await this.#within(this.#settings.idleMs, leave, signal, reader.read());
      if (done) return text + decoder.decode();
      text += decoder.decode(value, { stream: true });
    }
  }

  /** What `work` comes to. Breaks it off when that takes longer than `ms`, and tells every failure of the network as one. */
  async #within<Answer>(
    ms: number,
    leave: AbortController,
    signal: AbortSignal | undefined,
    work: Promise<Answer>,
  ): Promise<Answer> {
    let silent: BrokerError | undefined;
    const stop = after(ms, () => {
      silent = clientFault(0, 'unreachable', `${this.#name} has said nothing for ${Math.round(ms / 1000)} s.`);
      leave.abort(silent);
    });
    try {
      return await work;
    } catch (error) {
      signal?.throwIfAborted();
      throw silent ?? clientFault(0, 'unreachable', `${this.#name} cannot be reached, or the connection broke.`, error);
    } finally {
      stop();
    }
  }

  #redirected({ status, headers }: Response, from: string): BrokerError {
    const target = this.#settings.address.movedTo(headers.get('Location') ?? '', from);
    const detail = `The address redirects; use ${target ? `${target} as url` : 'its target as url'}.`;
    // A page is told neither status nor target.
    return clientFault(status || 302, 'unexpected_answer', detail);
  }

  #unexpected(status: number, what: string): BrokerError {
    const detail = `The answer of ${this.#settings.address.name || 'this origin'} is ${what}. Check the URL, and what stands between here and there.`;
    return clientFault(status, 'unexpected_answer', detail);
  }

  get #name(): string {
    const { name } = this.#settings.address;
    return name ? `The broker at ${name}` : 'The broker';
  }
}
