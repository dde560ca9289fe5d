import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { request } from 'undici';
import { aBrowser } from '../client/browser.ts';
import { barriers } from '../dashboard/tab.ts';
import { aBroker, aStore, aSystem } from '../helpers/broker.ts';

async function aPlace(t: ExecutionContext) {
  return { ...(await aStore(t, 'embedded')), BROKER_API_KEY: 'newest' };
}

async function enter(page: Page, key: string): Promise<void> {
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Open' }).click();
}

function focused(page: Page): Promise<unknown> {
  return page.evaluate('document.activeElement.id || document.activeElement.tagName');
}

test('/docs asks for the key, says that a wrong one is wrong, and shows the operations; nothing comes from elsewhere', async (t) => {
  const { url } = await aBroker(t, await aPlace(t));
  const page = await aBrowser(t);
  const requested: string[] = [];
  const said: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(error.message));

  await page.goto(`${url}/docs#cancelMessage`);
  await enter(page, 'wrong');
  await page.getByRole('alert').getByText('Invalid API key').waitFor();
  t.is(await page.evaluate('sessionStorage.length'), 0);

  await enter(page, 'newest');
  for (const name of ['Accept a message', 'Cancel a message', 'Ask how store and engine are', 'Chat, streamed']) {
    await page.getByRole('heading', { name, exact: true }).waitFor();
  }
  t.is(await page.getByLabel('API key').count(), 0);
  t.is(await focused(page), 'cancelMessage', 'what the link names');

  await page.reload();
  await page.getByRole('heading', { name: 'Accept a message' }).waitFor();
  const kept = await page.evaluate('[sessionStorage.length, localStorage.length, document.cookie.length]');
  t.deepEqual(kept, [1, 0, 0], 'the key is held for this tab only');

  t.deepEqual([...new Set(requested.map((one) => new URL(one).origin))], [url]);
  t.true(requested.every((one) => !one.includes('newest')));
  // The browser itself tells of the answers without a key and with the wrong one.
  t.deepEqual(
    said.filter((text) => !/status of 40[13]/.test(text)),
    [],
  );
});

test('/docs opens at once where no key is asked for, behind a path, too, and tells all that openapi.json does', async (t) => {
  const { url } = await aBroker(t, await aStore(t, 'embedded'));
  const page = await aBrowser(t);
  await page.route(/./, (route) => {
    const asked = route.request().url();
    return asked.startsWith(`${url}/broker/`) ? route.continue({ url: asked.replace('/broker/', '/') }) : route.abort();
  });
  await page.goto(`${url}/broker/docs`);
  await page.getByRole('heading', { name: 'Accept a message' }).waitFor();
  t.is(await page.getByLabel('API key').count(), 0);
  t.is(await focused(page), 'H1');
  const rows = [
    /^user_id required string, 1 to 256 characters Who says it/,
    /^message_type text, audio, text when not given/,
    /^code required string or null worker_unavailable: the engine could not be reached/,
    /^callback required object or null null without a callback/,
    /^callback\.status required pending, delivered, undelivered, silent undelivered: it was given up/,
    /^messages\[\]\.attempts required integer, at least 0 0 while it waits/,
    /^processing\.attempt required integer, at least 1/,
    /^last_event_id query string, matches \^\\d\{1,15\}\$/,
    /^WWW-Authenticate always Bearer/,
    /^Allow always string/,
  ];
  for (const name of rows)
    t.true((await page.getByRole('row', { name, includeHidden: true }).count()) > 0, String(name));
  const usual = await page.locator('#postMessage > details').first().textContent();
  t.regex(usual ?? '', /^\s*200\s*With Accept: text\/event-stream\. Server-sent events/);
  const contents = page.getByRole('navigation');
  t.is(await contents.getByRole('link', { name: /orgs/ }).count(), 1, 'what passes through is one');
});

test('a key is not forgotten when the broker is away for a moment', async (t) => {
  const { url } = await aBroker(t, await aPlace(t));
  const page = await aBrowser(t);
  await page.goto(`${url}/docs`);
  await enter(page, 'newest');
  await page.getByRole('heading', { name: 'Accept a message' }).waitFor();
  await page.route('**/openapi.json', (route) => route.abort());
  await page.reload();
  await page.getByRole('alert').getByText('The broker does not answer.').waitFor();
  await page.unroute('**/openapi.json');
  await page.getByRole('button', { name: 'Try again' }).click();
  await t.notThrowsAsync(page.getByRole('heading', { name: 'Accept a message' }).waitFor());
});

test('each operation has a curl line, which does what it says', async (t) => {
  const { url } = await aSystem(t, 'embedded', { env: { BROKER_API_KEY: 'newest' } });
  const page = await aBrowser(t);
  await page.goto(`${url}/docs`);
  await enter(page, 'newest');
  await page.getByRole('heading', { name: 'Accept a message' }).waitFor();
  t.is(await page.locator('article:not(article article):not(:has(> .wide > .curl))').count(), 0);
  t.is(await page.locator('article article .curl').count(), 0, 'what the broker asks others is none');
  const lines = await page.locator('.curl').allTextContents();
  for (const line of lines) t.regex(line, /^curl (-N )?(-X DELETE |-X POST )?'http:[^'{}]+'( |$)/);
  t.deepEqual(
    lines
      .filter((line) => !line.includes('"X-API-Key: $BROKER_API_KEY"'))
      .map((line) => /:\d+(\/[^\s']*)'/.exec(line)?.[1]),
    [
      '/public',
      '/health',
      '/health/live',
      '/health/ready',
      '/',
      '/docs',
      '/docs/docs.css',
      '/dashboard',
      '/dashboard/charts.json',
    ],
  );

  const lineOf = (operation: string) => page.locator(`#${operation} > .wide > .curl`).textContent();
  const run = async (line: string | null) => {
    const env = { PATH: process.env['PATH'], BROKER_API_KEY: 'newest' };
    const { stdout } = await promisify(execFile)('sh', ['-c', `${line} -s`], { env });
    return stdout;
  };
  t.regex(await run(await lineOf('postMessage')), /\nevent: done\n/);
  const code = (word: string) => new RegExp(`"code":"${word}"`);
  for (const known of ['getStream', 'cancelMessage', 'retryMessage', 'discardDeadLetter']) {
    t.regex(await run(await lineOf(known)), code('unknown_message'), known);
  }
  t.regex(await run(await lineOf('getQueue')), /"user_id":"ruth","queue_length":0/);
  t.regex(await run(await lineOf('postChat')), /"responses":\[/);
  t.regex(await run(await lineOf('getDocsFile')), /color-scheme/);
});

test('on a phone the contents of /docs are folded, and beside the page where there is room', async (t) => {
  const { url } = await aBroker(t, await aStore(t, 'embedded'));
  const page = await aBrowser(t);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.goto(`${url}/docs`);
  const heading = page.getByRole('heading', { level: 1 });
  await heading.waitFor();
  t.true(((await heading.boundingBox())?.y ?? 844) < 200);
  const link = page.getByRole('link', { name: 'Cancel a message' });
  t.false(await link.isVisible());
  await page.getByText('Contents', { exact: true }).press('Enter');
  await link.click();
  t.is(new URL(page.url()).hash, '#cancelMessage');
  await page.getByText('Contents', { exact: true }).press('Enter');
  await link.waitFor({ state: 'hidden' });
  await page.setViewportSize({ width: 1280, height: 844 });
  await link.waitFor();
  t.false(await page.getByText('Contents', { exact: true }).isVisible());
});

const ALL_IMPACTS = ['minor', 'moderate', 'serious', 'critical'];

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [390, 1280]) {
    test.serial(`nothing at /docs keeps people out, in ${colorScheme}, ${width} px wide`, async (t) => {
      const { url } = await aBroker(t, await aPlace(t));
      const page = await aBrowser(t);
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await page.goto(`${url}/docs`);
      await enter(page, 'wrong');
      await page.getByRole('alert').getByText('Invalid API key').waitFor();
      t.deepEqual(await barriers(page, ALL_IMPACTS), []);
      await enter(page, 'newest');
      await page.getByRole('heading', { name: 'Accept a message' }).waitFor();
      await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true");
      t.deepEqual(await barriers(page, ALL_IMPACTS), []);
      t.true(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing lies beside the page');
    });
  }
}

test('the files of /docs are for anybody, allow nothing from elsewhere, and are sent again only when they have changed', async (t) => {
  const { url, client } = await aBroker(t, await aPlace(t));
  for (const [path, type] of [
    ['/docs', 'text/html'],
    ['/docs/docs.js', 'text/javascript'],
    ['/docs/docs.css', 'text/css'],
  ] as const) {
    const first = await fetch(`${url}${path}`);
    t.is(first.headers.get('content-type'), `${type}; charset=utf-8`);
    t.regex(first.headers.get('content-security-policy') ?? '', /^default-src 'self';/);
    t.is(first.headers.get('x-content-type-options'), 'nosniff');
    const etag = first.headers.get('etag') ?? '';
    // `fetch` would ask for no copy to be used.
    const again = await request(`${url}${path}`, { headers: { 'if-none-match': etag } });
    t.is(again.statusCode, 304, path);
    t.is(await again.body.text(), '', path);
    t.is((await client.request('HEAD', path)).status, 200, path);
  }
  for (const path of ['/docs/docs.ts', '/docs/..%2Fapp.ts', '/docs/constructor']) {
    t.like(await client.get(path), { status: 404, body: { code: 'not_found' } }, path);
  }
});
