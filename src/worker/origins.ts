import { isObject } from '../json.ts';

/** What the worker says of itself, as clients are to see it: links to its own origin lead to the broker's public one. */
export class Origins {
  readonly #worker: string;
  readonly #public: string | undefined;

  /** Without `publicUrl` nothing is changed. */
  constructor(workerUrl: string, publicUrl: string | undefined) {
    this.#worker = new URL(workerUrl).origin;
    this.#public = publicUrl;
  }

  /** Whether bytes of the worker's may hold a link to its origin; false when nothing is to be rewritten. */
  mayHold(bytes: Buffer): boolean {
    return this.#public !== undefined && bytes.includes(this.#worker);
  }

  /** A response, a callback or an entry of a history, with its links rewritten. */
  rewrite(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const rewritten: Record<string, unknown> = { ...fields };
    for (const name of ['voice_audio_url', 'inbound_voice_audio_url']) {
      if (name in fields) rewritten[name] = this.#link(fields[name]);
    }
    const { attachments } = fields;
    if (Array.isArray(attachments)) {
      rewritten['attachments'] = attachments.map((one: unknown) =>
        isObject(one) && 'url' in one ? { ...one, url: this.#link(one['url']) } : one,
      );
    }
    return rewritten;
  }

  #link(link: unknown): unknown {
    if (!this.#public || typeof link !== 'string' || !URL.canParse(link)) return link;
    const { origin } = new URL(link);
    return origin === this.#worker ? `${this.#public}${link.slice(origin.length)}` : link;
  }
}
