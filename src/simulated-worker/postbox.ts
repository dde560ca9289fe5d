import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import type { Moments } from './moments.ts';

interface Post {
  url: string;
  /** `X-Engine-Token`. */
  token: string | undefined;
  body: Readonly<Record<string, unknown>>;
  /** What the receiver answered; undefined before, and when it could not be reached. */
  status: number | undefined;
  /** Sequence number of the moment when it was answered or given up. */
  endedAt: number | undefined;
}

/** One callback that the worker has made. Live: it changes until the receiver has answered. */
export type CallbackRecord = Readonly<Post>;

const PATIENCE_MS = 10_000;

/** Makes the callbacks, each of them once. */
export class Postbox {
  readonly posts: CallbackRecord[] = [];
  readonly #moments: Moments;
  #life = new AbortController();

  constructor(moments: Moments) {
    this.#moments = moments;
  }

  /** The way to one URL: what is put in goes out in that order, one after the other. */
  line(url: URL, token: string | undefined): (body: Record<string, unknown>) => void {
    const { signal } = this.#life;
    let before = Promise.resolve();
    return (body) => {
      before = before.then(async () => {
        if (signal.aborted) return;
        const post: Post = { url: url.href, token, body, status: undefined, endedAt: undefined };
        this.posts.push(post);
        this.#moments.changed();
        post.status = await send(url, token, JSON.stringify(body), signal);
        post.endedAt = this.#moments.tick();
        this.#moments.changed();
      });
    };
  }

  /** Drops what is on its way. */
  stop(): void {
    this.#life.abort();
    this.#life = new AbortController();
  }

  forget(): void {
    this.posts.length = 0;
  }
}

/** The receiver's status; undefined when there was no answer. */
function send(url: URL, token: string | undefined, body: string, life: AbortSignal): Promise<number | undefined> {
  const headers = ['Content-Length', String(Buffer.byteLength(body)), 'Host', url.host];
  headers.push('Content-Type', 'application/json', 'CF-Worker', 'bt-servant-worker.example.com');
  if (token !== undefined) headers.push('X-Engine-Token', token);
  const signal = AbortSignal.any([life, AbortSignal.timeout(PATIENCE_MS)]);
  return new Promise((resolve) => {
    const request = url.protocol === 'https:' ? requestSecure : requestPlain;
    const sending = request(url, { method: 'POST', agent: false, signal, headers }, (response) => {
      response.resume();
      response.once('close', () => resolve(response.statusCode));
      response.on('error', () => undefined);
    });
    sending.once('error', () => resolve(undefined));
    sending.end(body);
  });
}
