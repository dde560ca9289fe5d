import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Moments } from './moments.ts';

interface Request {
  /** 1 for the first one. */
  n: number;
  method: string;
  /** Path and query, exactly as they came. */
  url: string;
  headers: IncomingHttpHeaders;
  /** The whole body; that of an upload is not kept. */
  body: string;
  /** Bytes of the body that have come so far. */
  received: number;
  /** Bytes of an audio or public file that have been sent so far. */
  sent: number;
  /** The HTTP status, once the response is over and anything was answered. */
  status: number | undefined;
  /** Sequence numbers, as in the record of a call. */
  startedAt: number;
  endedAt: number | undefined;
  /** The client left before the end of the response. */
  aborted: boolean;
}

/** What the worker remembers of a request for anything but `/chat/stream` and `/health`. Live: it changes until the response is over. */
export type RequestRecord = Readonly<Request>;

/** The requests for everything but `/chat/stream` and `/health`, oldest first. */
export class RequestLog {
  readonly requests: RequestRecord[] = [];
  total = 0;
  readonly #moments: Moments;
  readonly #onEnded: ((request: RequestRecord) => void) | undefined;

  constructor(moments: Moments, onEnded?: (request: RequestRecord) => void) {
    this.#moments = moments;
    this.#onEnded = onEnded;
  }

  begin(message: IncomingMessage, response: ServerResponse, startedAt: number, body: string): Request {
    const request: Request = {
      n: ++this.total,
      method: message.method ?? '',
      url: message.url ?? '',
      headers: message.headers,
      body,
      received: Buffer.byteLength(body),
      sent: 0,
      status: undefined,
      startedAt,
      endedAt: undefined,
      aborted: false,
    };
    const end = (): void => {
      if (request.endedAt !== undefined) return;
      request.status = response.headersSent ? response.statusCode : undefined;
      request.aborted = !response.writableFinished;
      request.endedAt = this.#moments.tick();
      this.#onEnded?.(request);
      this.#moments.changed();
    };
    response.once('finish', end);
    response.once('close', end);
    this.requests.push(request);
    this.#moments.changed();
    return request;
  }

  received(request: Request, bytes: number): void {
    request.received += bytes;
    this.#moments.changed();
  }

  sent(request: Request, bytes: number): void {
    request.sent += bytes;
    this.#moments.changed();
  }

  forget(): void {
    this.requests.length = 0;
    this.total = 0;
  }
}

export type { Request };
