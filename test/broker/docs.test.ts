import test from 'ava';
import { request } from 'undici';
import { aBrowser } from '../client/browser.ts';
import { aBroker, aStore } from '../helpers/broker.ts';

test('/docs asks for the key, says that a wrong one is wrong, and shows the operations; nothing comes from elsewhere', async (t) => {
  const { url } = await aBroker(t, { ...(await aStore(t, 'embedded')), BROKER_API_KEY: 'newest' });
  const page = await aBrowser(t);
  const requested: string[] = [];
  const said: string[] = [];
  page.on('request', (request) => requested.push(request.url()));
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(error.message));

  await page.goto(`${url}/docs#cancelMessage`);
  await page.getByLabel('API key').fill('wrong');
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByRole('alert').getByText('Invalid API key').waitFor();
  t.is(await page.evaluate('sessionStorage.length'), 0);

  await page.getByLabel('API key').fill('newest');
  await page.getByRole('button', { name: 'Open' }).click();
  for (const summary of ['Accept a message', 'Cancel a message', 'Ask how store and engine are', 'Chat, streamed']) {
    await page.getByRole('heading', { name: summary, exact: true }).waitFor();
  }
  await page.getByRole('heading', { name: 'MessageState' }).waitFor();
  await page
    .getByRole('row', { name: /^user_id required string, at most 256 characters/ })
    .first()
    .waitFor();
  t.is(await page.getByLabel('API key').count(), 0);

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

test('/docs opens at once where no key is asked for', async (t) => {
  const { url } = await aBroker(t, await aStore(t, 'embedded'));
  const page = await aBrowser(t);
  await page.goto(`${url}/docs`);
  await t.notThrowsAsync(page.getByRole('heading', { name: 'Accept a message' }).waitFor());
  t.is(await page.getByLabel('API key').count(), 0);
});

test('the files of /docs are for anybody, allow nothing from elsewhere, and are sent again only when they have changed', async (t) => {
  const { url, client } = await aBroker(t, { ...(await aStore(t, 'embedded')), BROKER_API_KEY: 'newest' });
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
