import { createHash } from 'node:crypto';

const DIGEST = 'sha256:';
const AS_IT_IS = 'plain:';

/**
 * Which of the broker's keys a client called with, kept without the key itself: at the time of the callback it is found
 * among those there are. A broker that asks for no key keeps what the client sent: then it opens nothing.
 */
export class Tokens {
  readonly #keys: ReadonlyMap<string, string>;

  constructor(keys: readonly string[]) {
    this.#keys = new Map(keys.map((key) => [digest(key), key]));
  }

  /** What to keep of the key that a client called with. */
  keep(key: string): string {
    return this.#keys.has(digest(key)) ? digest(key) : `${AS_IT_IS}${key}`;
  }

  /** The key again; undefined when it is none of the broker's any more. */
  find(kept: string): string | undefined {
    return kept.startsWith(AS_IT_IS) ? kept.slice(AS_IT_IS.length) : this.#keys.get(kept);
  }
}

function digest(key: string): string {
  return `${DIGEST}${createHash('sha256').update(key).digest('base64')}`;
}
