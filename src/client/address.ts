/** Stands for the origin of a page where there is none. */
const NOWHERE = 'http://page.invalid';

/** Where a broker is. */
export class Address {
  readonly #base: URL;
  /** What stands before the broker's own paths. */
  readonly #prefix: string;
  /** As `url` for people: empty for the page's own origin. */
  readonly name: string;

  /** `url`: a whole address, or a path of the page's origin. Throws TypeError, without telling the value: it may hold a password. */
  constructor(url: string) {
    const whole = /^https?:\/\//i.test(url);
    const page = pageUrl();
    if ((!whole && !/^(?:\/|$)/.test(url)) || !URL.canParse(url, page)) throw wrong();
    // Nothing would be the page itself, with its path and its query.
    this.#base = new URL(url || '/', page);
    const { origin, pathname, username, password, search, hash } = this.#base;
    if (username || password || search || hash || (!whole && origin !== new URL(page).origin)) throw wrong();
    this.#prefix = pathname.replace(/\/$/, '');
    this.name = `${whole ? origin : ''}${this.#prefix}`;
  }

  /**
   * Where a link of the broker's leads: what to fetch, and whether that is the broker itself. One of its paths, such as
   * `/api/v1/stream?…`, or a whole address.
   */
  of(link: string): { readonly url: string; readonly own: boolean } {
    // Not all that begins like a path is one: `//host`, `/\host`.
    const path = /^\/(?![/\\])/.test(link);
    const { href, origin, pathname, search } = new URL(path ? `${this.#prefix}${link}` : link, this.#base);
    const own = origin === this.#base.origin && pathname.startsWith(`${this.#prefix}/`);
    return { url: origin === NOWHERE ? `${pathname}${search}` : href, own };
  }

  /** What to use instead when `from` redirects to `location`; undefined when that tells nothing. Without what may be secret. */
  movedTo(location: string, from: string): string | undefined {
    const asked = new URL(from, this.#base).href;
    if (!location || !URL.canParse(location, asked)) return undefined;
    const { origin, pathname } = new URL(location, asked);
    return `${origin}${pathname === new URL(asked).pathname ? this.#prefix : pathname}`;
  }
}

/** In a browser the address of the page, which paths are relative to. */
function pageUrl(): string {
  const page = String(Reflect.get(globalThis, 'location') ?? NOWHERE);
  // Some pages have none: `about:srcdoc`.
  return URL.canParse('/', page) ? page : NOWHERE;
}

function wrong(): TypeError {
  return new TypeError(
    'url must be an http:// or https:// address, or a path of the page, without user name, password, query and fragment',
  );
}
