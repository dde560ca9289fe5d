import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { Dispatcher } from 'undici';
import type { Deadline, Deadlines } from '../deadlines.ts';

/** One event of the worker's stream. `data` is the worker's text, byte for byte. */
export type WorkerEvent = { readonly kind: 'keepalive' | 'progress' | 'complete' | 'error'; readonly data: string };

/** The worker's stream is not what it should be (docs/simulated-worker.md). */
export class WorkerProtocolFault extends Error {}

/** Room for 25 MB of voice as base64 in one event. */
const MAX_EVENT_CHARS = 40_000_000;
/** So many characters may be here unread before the connection is left unread as well. */
const MAX_UNREAD_CHARS = 65_536;
/** More of an error's body than this tells a person nothing. */
const MAX_ERROR_CHARS = 2000;

/**
 * A worker call. undici hands it the response as it arrives, without a stream between; its events are read in the
 * batches in which their bytes came.
 */
export class WorkerCall implements Dispatcher.DispatchHandler {
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #parser: EventSourceParser;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #retryAfter: string | string[] | undefined;
  /** The body of an answer other than `200`. */
  #text = '';
  #unread: WorkerEvent[] = [];
  #unreadChars = 0;
  /** Told of whatever comes next. */
  #news: PromiseWithResolvers<void> | undefined;
  #ended = false;
  #closed = false;
  /** What broke the call. */
  #fault: Error | undefined;

  /** `withinMs`: what it has in all; then it is broken off. */
  constructor(deadlines: Deadlines, withinMs: number) {
    this.#deadlines = deadlines;
    this.#deadline = deadlines.add(withinMs, () => {
      this.fail(new DOMException('The call took too long', 'TimeoutError'));
    });
    this.#parser = createParser({
      maxBufferSize: MAX_EVENT_CHARS,
      onEvent: ({ data }) => {
        this.#unread.push({ kind: kindOf(data), data });
        this.#unreadChars += data.length;
      },
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') this.fail(new WorkerProtocolFault(error.message));
      },
    });
  }

  /** The status of the response; 0 before there is one. */
  get status(): number {
    return this.#status;
  }

  get retryAfter(): string | string[] | undefined {
    return this.#retryAfter;
  }

  /** As much of the body of an answer other than `200` as is worth telling. */
  get text(): string {
    return this.#text.slice(0, MAX_ERROR_CHARS);
  }

  /** The response has come to its end. */
  get ended(): boolean {
    return this.#ended;
  }

  /** It was closed: nobody wants to know what becomes of it. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Waits for the first events, which the next `read` answers. False when the response ended without any, as an answer
   * other than `200` does. Throws like `read`.
   */
  async begin(): Promise<boolean> {
    for (;;) {
      if (this.#closed) throw new Error('the call was broken off');
      if (this.#unread.length) return true;
      if (this.#ended) return false;
      if (this.#fault) throw this.#fault;
      this.#news = Promise.withResolvers();
      await this.#news.promise;
    }
  }

  /** The next events, at least one; undefined at the end of the response. Throws what broke the connection. */
  async read(): Promise<readonly WorkerEvent[] | undefined> {
    if (!(await this.begin())) return undefined;
    const events = this.#unread;
    this.#unread = [];
    this.#unreadChars = 0;
    this.#controller?.resume();
    return events;
  }

  /** Ends the call: breaks the connection off if it is still open. What is still unread is dropped. */
  close(): void {
    this.#closed = true;
    this.#unread = [];
    if (!this.#ended && !this.#fault) this.fail(new Error('the call was broken off'));
  }

  /** Breaks the connection off. What has come before is still read. */
  fail(fault: Error): void {
    if (this.#ended || this.#fault) return;
    this.#over();
    this.#fault = fault;
    this.#controller?.abort(fault);
    this.#tell();
  }

  /** There is a connection, and nothing is sent yet. Before, undici cannot be told that a call is broken off. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#fault) controller.abort(this.#fault);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    this.#status = status;
    this.#retryAfter = headers['retry-after'];
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#fault) return;
    const text = this.#decoder.decode(chunk, { stream: true });
    if (this.#status === 200) {
      this.#parser.feed(text);
      if (this.#unreadChars > MAX_UNREAD_CHARS) controller.pause();
      if (this.#unread.length) this.#tell();
      return;
    }
    this.#text += text;
    if (this.#text.length < MAX_ERROR_CHARS) return;
    this.onResponseEnd();
    controller.abort(new Error('no more of it is worth telling'));
  }

  onResponseEnd(): void {
    this.#ended = true;
    this.#over();
    this.#tell();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  #over(): void {
    this.#deadlines.drop(this.#deadline);
  }

  #tell(): void {
    this.#news?.resolve();
  }
}

/**
 * The event's type. The worker writes `{"type":"…"` first, so the bulk of events is told apart without parsing;
 * whatever is written otherwise, and the two that end the stream, are parsed.
 */
function kindOf(data: string): WorkerEvent['kind'] {
  if (/^\{"type":"(?:status|progress|tool_use|tool_result)"/.test(data)) return 'progress';
  try {
    const event: unknown = JSON.parse(data);
    const type = typeof event === 'object' && event !== null && 'type' in event ? event.type : undefined;
    return type === 'complete' || type === 'error' || type === 'keepalive' ? type : 'progress';
  } catch {
    return 'progress';
  }
}
