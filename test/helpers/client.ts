import { createParser } from 'eventsource-parser';
import { fetchDocumented, mustBeDocumentedEvent } from './openapi.ts';

export type StreamEvent = {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string;
};

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: Record<string, unknown> };

/** `signal` breaks the request off. */
type Options = { readonly headers?: Record<string, string>; readonly signal?: AbortSignal | undefined };

/** A stream was asked for, and the answer was none. */
export class NoStream extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, body: string) {
    super(`${status} ${body}`);
    this.status = status;
    this.body = body;
  }
}

/** A message that the broker takes. */
export function aBody(userId: string, message: string, more: Record<string, unknown> = {}) {
  return { user_id: userId, org_id: 'unfoldingWord', client_id: 'web', message, ...more };
}

/** A plain HTTP client of the broker, as its users write them. An answer that openapi.json does not have is a fault. */
export class Client {
  readonly url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.url = url;
    this.#headers = headers;
  }

  async request(
    method: string,
    path: string,
    options: Options & { body?: string | Uint8Array<ArrayBuffer> } = {},
  ): Promise<Answer> {
    const response = await fetchDocumented(`${this.url}${path}`, {
      method,
      headers: { ...this.#headers, ...options.headers },
      ...(options.body === undefined ? {} : { body: options.body }),
      signal: options.signal ?? null,
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : {} };
  }

  get(path: string, signal?: AbortSignal): Promise<Answer> {
    return this.request('GET', path, { signal });
  }

  post(body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Answer> {
    return this.request('POST', '/api/v1/message', {
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal,
    });
  }

  /** Posts a text that must be accepted; answers its id. */
  async send(userId: string, message: string, more: Record<string, unknown> = {}): Promise<string> {
    const { status, body } = await this.post(aBody(userId, message, more));
    if (status !== 202) throw new Error(`not accepted: ${status} ${JSON.stringify(body)}`);
    return String(body['message_id']);
  }

  /** A message's events from after `lastEventId`, to the end of the response. Leaving the loop leaves the stream. */
  stream(
    userId: string,
    messageId: string,
    lastEventId?: string,
    signal?: AbortSignal,
  ): AsyncGenerator<StreamEvent, void> {
    const query = new URLSearchParams({ user_id: userId, message_id: messageId });
    const headers: Record<string, string> = lastEventId ? { 'last-event-id': lastEventId } : {};
    return this.events(`/api/v1/stream?${query}`, { headers, signal });
  }

  /** Posts and reads the events in one step. */
  sendAndStream(
    userId: string,
    message: string,
    more: Record<string, unknown> = {},
    signal?: AbortSignal,
  ): AsyncGenerator<StreamEvent, void> {
    return this.events('/api/v1/message', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(aBody(userId, message, more)),
      signal,
    });
  }

  async *events(
    path: string,
    { signal, ...options }: Options & { method?: string; body?: string },
  ): AsyncGenerator<StreamEvent, void> {
    const leave = new AbortController();
    const response = await fetchDocumented(`${this.url}${path}`, {
      ...options,
      headers: { ...this.#headers, accept: 'text/event-stream', ...options.headers },
      signal: signal ? AbortSignal.any([leave.signal, signal]) : leave.signal,
    });
    const asked = { method: options.method ?? 'GET', path };
    if (response.status !== 200 || !response.body) throw new NoStream(response.status, await response.text());
    const batch: StreamEvent[] = [];
    const parser = createParser({
      onEvent: ({ id, event, data }) => {
        mustBeDocumentedEvent(asked, { event, data });
        batch.push({ id, event, data });
      },
    });
    try {
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
        parser.feed(text);
        yield* batch.splice(0);
      }
    } finally {
      leave.abort();
    }
  }

  /** Resolves once the worker's first event of a message is in the log: from then on its call is not repeated. */
  async streaming(userId: string, messageId: string): Promise<void> {
    for await (const { event } of this.stream(userId, messageId)) if (event === undefined) return;
  }

  /** All events of a message, read to the end. */
  async all(userId: string, messageId: string, lastEventId?: string): Promise<StreamEvent[]> {
    return Array.fromAsync(this.stream(userId, messageId, lastEventId));
  }
}

/** What the worker said, of a message's events. */
export function workerData(events: readonly StreamEvent[]): string[] {
  return events.filter(({ event }) => event === undefined).map(({ data }) => data);
}

/** The last event of a message, parsed. */
export function theEnd(events: readonly StreamEvent[]): { event: string | undefined } & Record<string, unknown> {
  const last = events.at(-1);
  return { ...JSON.parse(last?.data ?? '{}'), event: last?.event };
}
