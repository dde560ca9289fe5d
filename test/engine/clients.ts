import { once } from 'node:events';
import { createServer } from 'node:http';
import { text as readText } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { fetchDocumented, mustBeDocumentedCallback } from '../helpers/openapi.ts';

/**
 * Clients of the engine as they are today, written from its interface and the recordings of it alone: they know nothing
 * of a broker. What they are given is a base URL and a key.
 */
export type Place = {
  readonly url: string;
  readonly key: string;
  /** The engine itself is there: openapi.json is not about what it says. */
  readonly isEngine?: boolean;
};

export type EngineEvent = Readonly<Record<string, unknown>>;

/** The web client gives up when it has heard nothing for so long. */
const SILENCE_MS = 120_000;

/** The web client: posts, and reads `data: ` lines between blank lines. */
export class WebClient {
  readonly #place: Place;
  readonly #silenceMs: number;

  constructor(place: Place, silenceMs = SILENCE_MS) {
    this.#place = place;
    this.#silenceMs = silenceMs;
  }

  /** The events of one message, to the end of the response. */
  async *stream(userId: string, message: string, more: Record<string, unknown> = {}, signal?: AbortSignal) {
    const silence = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(new Error(`nothing for ${this.#silenceMs} ms`)), this.#silenceMs);
    };
    heard();
    try {
      const response = await this.#post(
        'stream',
        { client_id: 'web', user_id: userId, message, message_type: 'text', ...more },
        [silence.signal, ...(signal ? [signal] : [])],
      );
      if (response.status !== 200 || !response.body) throw new Error(`${response.status} ${await response.text()}`);
      let rest = '';
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        rest += chunk;
        const blocks = rest.split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) {
          if (!block.startsWith('data: ')) continue;
          heard();
          yield JSON.parse(block.slice('data: '.length)) as EngineEvent;
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** What a person gets to see of it: the text of the answer, or of the error. */
  async ask(userId: string, message: string, more: Record<string, unknown> = {}): Promise<unknown> {
    let last: EngineEvent = {};
    for await (const event of this.stream(userId, message, more)) last = event;
    return answerOf(last);
  }

  /** `/chat`: status and final JSON. */
  async final(userId: string, message: string, more: Record<string, unknown> = {}) {
    const response = await this.#post(undefined, {
      client_id: 'web',
      user_id: userId,
      message,
      message_type: 'text',
      ...more,
    });
    const body: EngineEvent = JSON.parse(await response.text());
    return { status: response.status, headers: response.headers, body };
  }

  #post(endpoint: 'stream' | undefined, body: unknown, signals: readonly AbortSignal[] = []): Promise<Response> {
    return fetchFrom(this.#place, `/api/v1/chat${endpoint ? `/${endpoint}` : ''}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#place.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.any([...signals]),
    });
  }
}

/** A WhatsApp or Telegram gateway: sends messages on, and is called back at an endpoint that asks for its own key. */
export class Gateway {
  readonly url: string;
  readonly host: string;
  /** What came in, in order; a call without the right key is refused and noted. */
  readonly heard: EngineEvent[] = [];
  readonly refused: string[] = [];
  /** How often it answered with a failure. */
  failures = 0;
  /** Set while the gateway is to answer with a failure. */
  failing = false;
  readonly #place: Place;
  readonly #clientId: string;
  readonly #waiting = new Set<() => void>();

  private constructor(place: Place, clientId: string, port: number) {
    this.#place = place;
    this.#clientId = clientId;
    this.host = `127.0.0.1:${port}`;
    this.url = `http://${this.host}/__callback`;
  }

  static async start(t: ExecutionContext, place: Place, clientId: string, port = 0): Promise<Gateway> {
    const server = createServer((request, response) => {
      const { headers } = request;
      void readText(request).then((text) => {
        if (!place.isEngine) mustBeDocumentedCallback('EngineCallback', { headers, text });
        response.writeHead(gateway.#take(headers['x-engine-token'], JSON.parse(text))).end();
      });
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const gateway = new Gateway(place, clientId, typeof address === 'object' && address ? address.port : 0);
    t.teardown(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    return gateway;
  }

  /** Sends a message on; answers its status. */
  async send(userId: string, message: string, key: string, more: Record<string, unknown> = {}): Promise<number> {
    const response = await fetchFrom(this.#place, '/api/v1/chat/callback', {
      method: 'POST',
      headers: { authorization: `Bearer ${this.#place.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        client_id: this.#clientId,
        user_id: userId,
        message,
        message_type: 'text',
        message_key: key,
        progress_callback_url: this.url,
        ...more,
      }),
    });
    await response.text();
    return response.status;
  }

  /** Resolves when so many messages have come to their end. */
  async ends(count: number): Promise<readonly EngineEvent[]> {
    const ends = () => this.heard.filter(({ type }) => type === 'complete' || type === 'error');
    await this.#until(() => ends().length >= count);
    return ends();
  }

  /** Resolves once it has answered with a failure. */
  fails(): Promise<void> {
    return this.#until(() => this.failures > 0);
  }

  /** Resolves once something like that was heard. */
  hears(what: (event: EngineEvent) => boolean): Promise<void> {
    return this.#until(() => this.heard.some(what));
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  #take(token: string | string[] | undefined, event: EngineEvent): number {
    if (token !== this.#place.key) {
      this.refused.push(String(token));
      return 403;
    }
    if (this.failing) this.failures += 1;
    else this.heard.push(event);
    for (const wake of [...this.#waiting]) wake();
    return this.failing ? 500 : 200;
  }
}

function fetchFrom({ url, isEngine }: Place, path: string, init: RequestInit): Promise<Response> {
  return isEngine ? fetch(`${url}${path}`, init) : fetchDocumented(`${url}${path}`, init);
}

function answerOf(last: EngineEvent): unknown {
  const { type, response, error } = last;
  if (type === 'error') return `error: ${String(error)}`;
  const responses: unknown =
    typeof response === 'object' && response && 'responses' in response ? response.responses : undefined;
  return Array.isArray(responses) ? responses.join('\n') : undefined;
}
