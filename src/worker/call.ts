import { createParser, type EventSourceParser } from 'eventsource-parser';

/** One event of the worker's stream. `data` is the worker's text, byte for byte. */
export type WorkerEvent = { readonly kind: 'keepalive' | 'progress' | 'complete' | 'error'; readonly data: string };

/** The worker's stream is not what it should be (docs/simulated-worker.md). */
export class WorkerProtocolFault extends Error {}

/** Breaks a call off after its time in all, or when it is told to. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.abort(new DOMException('The call took too long', 'TimeoutError')), ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.clear();
    this.#controller.abort(reason);
  }

  /** The call is over in time. */
  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** Room for 25 MB of voice as base64 in one event. */
const MAX_EVENT_CHARS = 40_000_000;

/** An open worker call: its events in the batches in which its bytes arrive. */
export class WorkerCall {
  readonly #deadline: Deadline;
  readonly #chunks: AsyncIterator<Uint8Array, unknown>;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #parser: EventSourceParser;
  #batch: WorkerEvent[] = [];
  #first: readonly WorkerEvent[] | undefined;
  #fault: Error | undefined;
  #ended = false;

  constructor(body: AsyncIterable<Uint8Array>, deadline: Deadline) {
    this.#deadline = deadline;
    this.#chunks = body[Symbol.asyncIterator]();
    this.#parser = createParser({
      maxBufferSize: MAX_EVENT_CHARS,
      onEvent: ({ data }) => this.#batch.push({ kind: kindOf(data), data }),
      onError: (error) => {
        if (error.type === 'max-buffer-size-exceeded') this.#fault = new WorkerProtocolFault(error.message);
      },
    });
  }

  /** The response has come to its end. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Waits for the first events, which the next `read` answers. False when the stream ended without any. */
  async begin(): Promise<boolean> {
    this.#first = await this.read();
    return this.#first !== undefined;
  }

  /** The next events, at least one; undefined at the end of the response. Throws what broke the connection. */
  async read(): Promise<readonly WorkerEvent[] | undefined> {
    if (this.#first) {
      const first = this.#first;
      this.#first = undefined;
      return first;
    }
    for (;;) {
      const { done, value } = await this.#chunks.next();
      if (done) {
        this.#ended = true;
        return undefined;
      }
      this.#parser.feed(this.#decoder.decode(value, { stream: true }));
      if (this.#fault) throw this.#fault;
      if (this.#batch.length) {
        const batch = this.#batch;
        this.#batch = [];
        return batch;
      }
    }
  }

  /** Ends the call: breaks the connection off if it is still open. */
  close(): void {
    this.#deadline.abort(new Error('the call was broken off'));
  }
}

/**
 * The event's type. The worker writes `{"type":"…"` first, so the bulk of events is told apart without parsing;
 * whatever is written otherwise, and the two that end the stream, are parsed.
 */
function kindOf(data: string): WorkerEvent['kind'] {
  if (/^\{"type":"(status|progress|tool_use|tool_result)"/.test(data)) return 'progress';
  try {
    const event: unknown = JSON.parse(data);
    const type = typeof event === 'object' && event !== null && 'type' in event ? event.type : undefined;
    return type === 'complete' || type === 'error' || type === 'keepalive' ? type : 'progress';
  } catch {
    return 'progress';
  }
}
