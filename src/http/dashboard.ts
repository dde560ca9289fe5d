import { readdirSync } from 'node:fs';
import Router from '@koa/router';
import type { Middleware } from 'koa';
import { beginning, reasonOf } from '../content.ts';
import { charts } from '../dashboard/chart.ts';
import { objectIn } from '../json.ts';
import { type Dialect, EVENTS } from '../stream/dialect.ts';
import { dataOf, type Frame, frameOf } from '../stream/run.ts';
import type { Services } from './app.ts';
import { asset, content, withoutSlash } from './assets.ts';
import { getDeadLetters } from './dead-letters.ts';
import { beginStream, getStream } from './stream.ts';

const PAGE = new URL('../dashboard/page/', import.meta.url);

/** What the page's modules import by name, and under which address they are served. */
const PACKAGES = {
  preact: './preact.js',
  'preact/hooks': './preact-hooks.js',
  htm: './htm.js',
  uplot: './uplot.js',
  'eventsource-parser': './eventsource-parser.js',
};

/** `GET /dashboard`, where `GET /` leads: the page and its files. They hold no data, and need no key. Addresses are relative, for brokers behind a path. */
export function dashboardRouter(): Router {
  const router = new Router();
  const own = readdirSync(PAGE).filter((name) => /[.](js|css|svg)$/.test(name));
  const parser = (name: string) => asset(new URL(`${name}.js`, import.meta.resolve('eventsource-parser')));
  const files = new Map([
    ...own.map((name) => [name, asset(new URL(name, PAGE), PACKAGES)] as const),
    ['preact.js', asset('preact')],
    ['preact-hooks.js', asset('preact/hooks', PACKAGES)],
    ['htm.js', asset('htm')],
    ['uplot.js', asset('uplot/dist/uPlot.esm.js')],
    ['uplot.css', asset('uplot/dist/uPlot.min.css')],
    ['eventsource-parser.js', parser('index')],
    ['errors.js', parser('errors')],
    ['parse.js', parser('parse')],
    ['charts.json', content('application/json; charset=utf-8', () => JSON.stringify(charts()))],
  ]);
  router.get('/', (ctx) => {
    // Koa's own redirect has a text in it. Without one, it would take the status for that of nothing at all.
    ctx.body = null;
    ctx.status = 302;
    ctx.set('Location', 'dashboard');
  });
  router.get('/dashboard', withoutSlash, asset(new URL('index.html', PAGE)));
  router.get('/dashboard/:file', async (ctx, next) => {
    await files.get(String(ctx['params'].file))?.(ctx, next);
  });
  return router;
}

/** `GET /api/v1/dashboard/events`: the last hour, then how things stand, once a second. */
export function getDashboardEvents({ overview }: Services): Middleware {
  return (ctx) => {
    const response = beginStream(ctx);
    if (response) overview.open(response);
  };
}

/** `GET /api/v1/dashboard/stream`: a message's events in outline, without what people and the worker wrote unless that may be shown. */
export function getDashboardStream(services: Services): Middleware {
  return getStream(services, outline(services.dashboardShowsContent));
}

/** `GET /api/v1/dashboard/dead-letters`: as `/api/v1/dead-letters`, their reasons as the dashboard tells them. */
export function getDashboardDeadLetters(services: Services): Middleware {
  const { dashboardShowsContent } = services;
  return getDeadLetters(services, ({ code, error }) => reasonOf(code, error, dashboardShowsContent));
}

/** The broker's own events as they are, but for the reason of a failure; of the worker's, type, size and perhaps the beginning. */
function outline(showContent: boolean): Dialect {
  const told = (frame: Frame): string => {
    const data = dataOf(frame);
    if (frame.name) {
      const { code, error, ...fields } = objectIn(data);
      return JSON.stringify({ ...fields, code, error: reasonOf(String(code), String(error), showContent) });
    }
    const outlined = { type: typeIn(data), bytes: Buffer.byteLength(data) };
    return JSON.stringify(showContent ? { ...outlined, beginning: beginning(data) } : outlined);
  };
  return {
    ...EVENTS,
    render: (frame) => {
      const own = frame.name !== '' && frame.name !== 'error';
      return own ? frame.bytes : Buffer.from(frameOf({ name: frame.name, data: told(frame) }, frame.id));
    },
  };
}

/** The worker writes it first, so the largest events need not be parsed for it. */
const TYPE_FIRST = /^\{"type":"([a-z_]{1,32})"/;

function typeIn(data: string): string {
  const [, first] = TYPE_FIRST.exec(data) ?? [];
  if (first !== undefined) return first;
  try {
    const { type } = objectIn(data);
    // Whatever else the worker may call its events is not known to be free of content.
    return typeof type === 'string' && /^[a-z_]{1,32}$/.test(type) ? type : 'unknown';
  } catch {
    return 'unknown';
  }
}
