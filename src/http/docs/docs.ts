import Router from '@koa/router';
import type { Middleware } from 'koa';
import type { Services } from '../app.ts';
import { asset, content, withoutSlash } from '../assets.ts';
import { openApiDocument } from '../openapi/document.ts';

const FILES = ['curl.js', 'docs.css', 'docs.js', 'markdown.js', 'reference.js', 'schema.js', 'table.js'];

/** What the page has of the dashboard, and under which address that is served. */
const IMPORTS = {
  preact: '../dashboard/preact.js',
  '../../dashboard/page/api.js': '../dashboard/api.js',
  '../../dashboard/page/html.js': '../dashboard/html.js',
  '../../dashboard/page/key-form.js': '../dashboard/key-form.js',
};

/**
 * `GET /docs`: a page without any data, which asks for a key and fetches the document with it. For anybody. Addresses are
 * relative, for brokers behind a path.
 */
export function docsRouter(): Router {
  const router = new Router();
  const files = new Map(FILES.map((name) => [name, asset(new URL(name, import.meta.url), IMPORTS)]));
  router.get('/docs', withoutSlash, asset(new URL('docs.html', import.meta.url)));
  router.get('/docs/:file', async (ctx, next) => {
    await files.get(String(ctx['params'].file))?.(ctx, next);
  });
  return router;
}

/** `GET /openapi.json`: the interface as OpenAPI 3.1 describes it. */
export function getOpenApi({ version }: Services): Middleware {
  return content('application/json; charset=utf-8', () => JSON.stringify(openApiDocument(version)));
}
