import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Middleware } from 'koa';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const HEADERS = {
  // Nothing is loaded from anywhere else, and nothing runs that is not a file of this broker.
  'Content-Security-Policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  // To be asked for each time, and sent only when it has changed.
  'Cache-Control': 'no-cache',
};

type Held = { readonly content: Buffer; readonly etag: string };

/** Serves a file of this program, by the type that its name says: `.html`, `.js`, `.css` or `.svg`. */
export function file(url: URL): Middleware {
  const type = TYPES[extname(url.pathname)];
  if (type === undefined) throw new Error(`${url.pathname} is of no type that is served`);
  return asset(type, () => readFile(url));
}

/** Serves what `make` makes, once. */
export function made(type: string, make: () => string): Middleware {
  return asset(type, async () => Buffer.from(make()));
}

/** Got when it is first asked for, and held from then on. */
function asset(type: string, get: () => Promise<Buffer>): Middleware {
  let held: Promise<Held> | undefined;
  return async (ctx) => {
    held ??= get().then((content) => ({ content, etag: etagOf(content) }));
    const { content, etag } = await held;
    ctx.set(HEADERS);
    ctx.status = 200;
    ctx.etag = etag;
    if (ctx.fresh) {
      ctx.status = 304;
      return;
    }
    ctx.body = content;
    ctx.type = type;
  };
}

function etagOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('base64url');
}
