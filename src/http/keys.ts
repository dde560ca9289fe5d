import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { Context } from 'koa';

/** The keys that clients must send, and what they sign. Without any, everybody may do everything. */
export class Keys {
  readonly #keys: readonly string[];
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#keys = keys;
    this.#digests = keys.map(digest);
  }

  /** Whether a key is asked for at all. */
  get required(): boolean {
    return this.#keys.length > 0;
  }

  /** Compares digests, which have one length, and all of them, so that time tells nothing of a key. */
  know(given: string): boolean {
    return isAmong(digest(given), this.#digests);
  }

  /** Opens one message's events and nothing else; of no use once they are gone. Undefined when no key is asked for. */
  tokenFor(queue: string, messageId: string): string | undefined {
    const [newest] = this.#keys;
    return newest === undefined ? undefined : sign(newest, queue, messageId).toString('base64url');
  }

  /** Whether a token was made for this message, with any of the keys. */
  open(token: string, queue: string, messageId: string): boolean {
    const expected = this.#keys.map((key) => sign(key, queue, messageId));
    return isAmong(Buffer.from(token, 'base64url'), expected);
  }
}

/** The key that a request came with, in either of the two headers; undefined without one. */
export function keyOf(ctx: Context): string | undefined {
  return ctx.get('X-API-Key') || /^Bearer +([^ ].*)$/i.exec(ctx.get('Authorization'))?.[1];
}

function isAmong(given: Buffer, candidates: readonly Buffer[]): boolean {
  let known = false;
  for (const candidate of candidates) {
    if (candidate.length === given.length && timingSafeEqual(given, candidate)) known = true;
  }
  return known;
}

function digest(key: string): Buffer {
  return hash('sha256', key, 'buffer');
}

/** JSON keeps queue and message apart, whatever characters they hold. */
function sign(key: string, queue: string, messageId: string): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify(['stream', queue, messageId]))
    .digest();
}
