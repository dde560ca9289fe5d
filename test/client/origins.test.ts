import test from 'ava';
import { aSystem } from '../helpers/broker.ts';
import { aBody, Client } from '../helpers/client.ts';
import { aBrowser, aPage, pageOf } from './browser.ts';
import { aServer, asTheyShouldBe } from './helpers.ts';

test('in Chromium: a page of an allowed origin sends and reads, also what is refused; one of another learns nothing', async (t) => {
  const page = await aPage(t);
  const [allowed, other] = [await aServer(t, page), await aServer(t, page)];
  const { url } = await aSystem(t, 'embedded', { env: { CORS_ORIGINS: allowed, BROKER_API_KEY: 'secret' } });
  const tab = await aBrowser(t);
  const shown = async (origin: string, apiKey: string) => {
    // Only what stands behind the `#` differs: without this the page would stay as it is.
    await tab.goto('about:blank');
    await tab.goto(pageOf(origin, { url, apiKey, patienceMs: 0 }, aBody('u', 'hello')));
    const body = tab.locator('body[data-end]');
    return {
      end: await body.getAttribute('data-end'),
      events: JSON.parse((await body.getAttribute('data-events')) ?? ''),
    };
  };

  const { end, events } = await shown(allowed, 'secret');
  t.is(end, 'done');
  t.deepEqual(events, asTheyShouldBe(await new Client(url, { 'x-api-key': 'secret' }).all('u', events[0].message_id)));
  t.regex(String((await shown(allowed, 'wrong')).end), /BrokerError.*API key/);
  const stranger = await shown(other, 'secret');
  t.deepEqual(stranger.events, []);
  t.regex(String(stranger.end), /BrokerError/);
});

test('in Chromium: a redirect, of which a page learns nothing else, is told', async (t) => {
  const page = await aPage(t);
  const url = await aServer(t, (request, response) => {
    if (!page(request, response)) response.writeHead(301, { Location: '/elsewhere' }).end();
  });
  const tab = await aBrowser(t);
  await tab.goto(pageOf(url, { url: '' }, aBody('u', 'hello')));
  const end = await tab.locator('body[data-end]').getAttribute('data-end');
  t.regex(String(end), /^BrokerError: The address redirects; use its target as url\./);
});
