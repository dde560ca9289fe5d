import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Middleware } from 'koa';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** A page may load what this broker serves and nothing else; no page of others may frame it. */
const POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'";

/**
 * Serves one file, read when it is first asked for. `imports`: what it imports, packages by their name, and where a
 * browser finds it.
 */
export function asset(file: string | URL, imports: Readonly<Record<string, string>> = {}): Middleware {
  const path = typeof file === 'string' ? fileURLToPath(import.meta.resolve(file)) : fileURLToPath(file);
  return content(TYPES[extname(path)] ?? 'application/octet-stream', () => withImports(readFileSync(path), imports));
}

/** A page's own addresses are relative: with a slash behind it they would lead nowhere. */
export const withoutSlash: Middleware = async (ctx, next) => {
  if (ctx.path.endsWith('/')) {
    ctx.status = 301;
    ctx.redirect(`../${basename(ctx.path)}`);
  } else await next();
};

/** Serves what `make` makes when it is first asked for. */
export function content(type: string, make: () => string | Buffer): Middleware {
  let made: { readonly body: Buffer; readonly etag: string } | undefined;
  return (ctx) => {
    if (!made) {
      const body = Buffer.from(make());
      made = { body, etag: createHash('sha256').update(body).digest('base64url') };
    }
    ctx.set({ 'Cache-Control': 'no-cache', 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff' });
    ctx.set('Referrer-Policy', 'no-referrer');
    ctx.etag = made.etag;
    ctx.status = 200;
    ctx.type = type;
    if (ctx.fresh) ctx.status = 304;
    else ctx.body = made.body;
  };
}

/** A browser finds packages by addresses only, and a map of them would have to stand in the page as a script. */
function withImports(file: Buffer, imports: Readonly<Record<string, string>>): string | Buffer {
  if (!Object.keys(imports).length) return file;
  return file.toString().replaceAll(/\b(from|import)(\s*)(["'])([^"']+)\3/g, (whole, word, space, quote, name) => {
    const address = imports[String(name)];
    return address === undefined ? whole : `${word}${space}${quote}${address}${quote}`;
  });
}
