import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Context, Middleware } from 'koa';
import { Agent, type Dispatcher, request } from 'undici';
import { isObject } from '../../json.ts';
import type { Origins } from '../../worker/origins.ts';
import { requestIdOf } from '../request-id.ts';
import { EngineFault } from './fault.ts';

export type PassthroughSettings = {
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  readonly connectTimeoutMs: number;
};

/** What concerns one connection only (RFC 9110, 7.6.1), and what the broker says for itself. */
const OWN = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'authorization',
  'x-api-key',
  'x-request-id',
  'expect',
]);
const BODILESS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
/** A history is read whole to rewrite its links; one that is larger is passed on as it is. */
const MAX_HISTORY_BYTES = 20_000_000;

/** Hands requests on to the engine, and its answers back, streamed both ways and held nowhere. No queue, no slot. */
export class Passthrough {
  readonly #settings: PassthroughSettings;
  readonly #origins: Origins;
  // An upload or a download takes as long as it takes; undici's own limits are for calls.
  readonly #agent: Agent;

  constructor(settings: PassthroughSettings, origins: Origins) {
    this.#settings = settings;
    this.#origins = origins;
    this.#agent = new Agent({ connect: { timeout: settings.connectTimeoutMs }, bodyTimeout: 0, headersTimeout: 0 });
  }

  /** `withKey`: the engine is called with the broker's key, in place of the client's. */
  handle(withKey: boolean): Middleware {
    return async (ctx) => {
      const { baseUrl, apiKey } = this.#settings;
      mustBePlain(ctx.path);
      const gone = new AbortController();
      ctx.res.once('close', () => gone.abort());
      // Not `ctx.url`: a request may name a whole URL there, which behind the base would be another host's.
      const answer = await this.#ask(`${baseUrl}${ctx.path}${ctx.search}`, {
        method: ctx.method,
        headers: {
          ...passing(ctx.req.headers),
          'x-request-id': requestIdOf(ctx),
          ...(withKey && apiKey ? { authorization: `Bearer ${apiKey}` } : {}),
        },
        body: BODILESS.has(ctx.method) ? null : ctx.req,
        signal: gone.signal,
      });
      const history = isHistory(ctx, answer) ? await this.#historyOf(answer) : undefined;
      ctx.status = answer.statusCode;
      for (const [name, value] of Object.entries(passing(answer.headers))) ctx.set(name, value);
      if (history === undefined) ctx.body = answer.body;
      else {
        ctx.remove('Content-Length');
        ctx.body = history;
      }
      // Koa thinks of a type where the engine gave none.
      if (answer.headers['content-type'] === undefined) ctx.remove('Content-Type');
    };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #ask(
    url: string,
    options: Omit<Dispatcher.RequestOptions, 'origin' | 'path'>,
  ): Promise<Dispatcher.ResponseData> {
    try {
      return await request(url, { ...options, dispatcher: this.#agent });
    } catch (error) {
      throw unreachable(error);
    }
  }

  /** A history with its links rewritten; one that is too large to be held is passed on as it is. */
  async #historyOf({ body }: Dispatcher.ResponseData): Promise<string | Readable> {
    const held: Buffer[] = [];
    let bytes = 0;
    const chunks: AsyncIterator<Buffer, unknown> = body[Symbol.asyncIterator]();
    try {
      while (bytes <= MAX_HISTORY_BYTES) {
        const { done, value } = await chunks.next();
        if (done) return this.#rewritten(Buffer.concat(held).toString());
        held.push(value);
        bytes += value.length;
      }
    } catch (error) {
      throw unreachable(error);
    }
    return Readable.from(
      (async function* () {
        yield* held;
        for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
      })(),
    );
  }

  #rewritten(json: string): string {
    try {
      const history: unknown = JSON.parse(json);
      if (!isObject(history) || !Array.isArray(history['entries'])) return json;
      const entries = history['entries'].map((entry: unknown) =>
        isObject(entry) ? this.#origins.rewrite(entry) : entry,
      );
      return JSON.stringify({ ...history, entries });
    } catch {
      return json;
    }
  }
}

function unreachable(error: unknown): EngineFault {
  const message = error instanceof Error && 'code' in error ? String(error.code) : 'no answer';
  return new EngineFault(502, 'worker_unreachable', 'The engine cannot be reached', {
    code: 'WORKER_UNREACHABLE',
    message,
  });
}

/** A path that a URL parser would make another one of could lead where it must not. */
function mustBePlain(path: string): void {
  const base = 'http://engine.invalid';
  if (URL.canParse(path, base) && new URL(path, base).pathname === path) return;
  throw new EngineFault(400, 'malformed_path', 'The path must not hold "." or ".." segments or backslashes');
}

function isHistory({ path, method }: Context, { statusCode, headers }: Dispatcher.ResponseData): boolean {
  const isPlain = headers['content-encoding'] === undefined;
  return method === 'GET' && path.endsWith('/history') && statusCode === 200 && isPlain;
}

/** The headers that go on to the other side. */
function passing(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const listed = String(headers.connection ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const passed = Object.entries(headers).filter(([name]) => !OWN.has(name) && !listed.includes(name));
  return Object.fromEntries(passed.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
