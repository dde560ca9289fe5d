import test from 'ava';
import { BrokerClient } from '../../src/client/index.ts';
import { Dice } from '../faults/dice.ts';
import { aSystem } from '../helpers/broker.ts';
import { aBody } from '../helpers/client.ts';
import { aBrowser, aPage, pageOf } from './browser.ts';
import { Cutter } from './cutter.ts';
import { aServer, asTheyShouldBe, stored, TEXT } from './helpers.ts';

const CUTS = 100;
/** More than can pass between so many cuts. */
const MESSAGE = `[[text="${TEXT}" events=420 size=200 chunk=1]]`;

async function aCutSystem(t: Parameters<typeof aSystem>[0]) {
  const { url, client, worker } = await aSystem(t, 'embedded');
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.log(`seed ${seed}`);
  const cutter = new Cutter(url, CUTS, new Dice(seed));
  return { client, worker, cutter };
}

test('in Node.js: through 100 cuts at random no event is missing or comes twice, and the message is accepted once', async (t) => {
  const { client, worker, cutter } = await aCutSystem(t);
  const url = await aServer(t, (request, response) => cutter.pass(request, response));
  const message = { user_id: 'u', org_id: 'unfoldingWord', client_id: 'web', message: MESSAGE };
  const events = await Array.fromAsync(new BrokerClient({ url }).sendAndStream(message));

  t.is(cutter.cuts, CUTS);
  t.is(cutter.lost, 3);
  t.is(worker.calls.length, 1);
  const id = events.at(-1)?.type === 'done' ? String(worker.calls[0]?.idempotencyKey) : '';
  t.deepEqual(stored(events), asTheyShouldBe(await client.all('u', id)));
});

test('in Chromium: the same', async (t) => {
  const { client, worker, cutter } = await aCutSystem(t);
  const pages = await aPage(t);
  const url = await aServer(t, (request, response) => {
    if (!pages(request, response)) cutter.pass(request, response);
  });
  const page = await aBrowser(t);
  await page.goto(pageOf(url, { url: '' }, aBody('u', MESSAGE)));
  const body = page.locator('body[data-end]');
  t.is(await body.getAttribute('data-end', { timeout: 50_000 }), 'done');

  t.is(cutter.cuts, CUTS);
  t.is(cutter.lost, 3);
  t.is(worker.calls.length, 1);
  const events: unknown = JSON.parse((await body.getAttribute('data-events')) ?? '');
  t.deepEqual(events, asTheyShouldBe(await client.all('u', String(worker.calls[0]?.idempotencyKey))));
});
