import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { aBrowser } from '../client/browser.ts';
import { aSystem } from '../helpers/broker.ts';
import { Client } from '../helpers/client.ts';

const HOLD = '[[text="Secret words of somebody" ttft=60000]]';
const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const PHONE = { width: 390, height: 844 };

/** A broker, and its dashboard in a tab that may go nowhere else. */
async function aDashboard(t: ExecutionContext, env: Record<string, string> = {}, key?: string) {
  const system = await aSystem(t, 'embedded', { env });
  const client = key === undefined ? system.client : new Client(system.url, { 'x-api-key': key });
  const page = await aBrowser(t);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    const { origin } = new URL(request.url());
    if (origin !== system.url) faults.push(`a request to ${request.url()}`);
  });
  page.on('console', (said) => {
    // What the browser says of an answer such as 401 is no fault of the page.
    if (said.type() === 'error' && !said.text().startsWith('Failed to load resource')) faults.push(said.text());
  });
  await page.goto(`${system.url}/dashboard`);
  return { ...system, client, page, faults };
}

async function running(client: Client, userId: string): Promise<string> {
  const id = await client.send(userId, HOLD);
  await client.streaming(userId, id);
  return id;
}

/** Resolves once the element says so. */
async function says(page: Page, selector: string, text: string | RegExp): Promise<void> {
  const pattern = typeof text === 'string' ? new RegExp(`^\\s*${text}\\s*$`) : text;
  await page.locator(selector).filter({ hasText: pattern }).waitFor({ state: 'attached' });
}

/** What axe finds that keeps people out. */
async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(`axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join(' '))))`);
}

test.serial("under load the page's numbers are the store's, and the charts' counts move", async (t) => {
  const { client, worker, page, faults } = await aDashboard(t);
  await running(client, 'ruth');
  for (let index = 0; index < 3; index += 1) await client.send('ruth', 'next');
  await running(client, 'boaz');
  await client.send('boaz', 'next');
  await says(page, '[data-state="streaming.relaying"]', '2');
  await says(page, '[data-state="streaming"]', '2');
  const { body: health } = await client.get('/health');
  await says(page, '#waiting', String(health['messages_waiting']));
  await says(page, '#processing', String(health['messages_processing']));
  await says(page, '#queues', String(health['active_queues']));
  await says(page, '#status', String(health['status']));
  t.is(health['messages_waiting'], 4);
  for (const user of ['ruth', 'boaz']) {
    const { body } = await client.get(`/api/v1/queue/${user}`);
    await says(page, `tr[data-user="${user}"] td:last-child`, String(body['queue_length']));
  }
  const users = await page.evaluate(`[...document.querySelectorAll('tr[data-user]')].map((row) => row.dataset.user)`);
  t.deepEqual(users, ['ruth', 'boaz'], 'who waits longest stands first');
  worker.hurry();
  await says(page, '[data-state="streaming.relaying"]', '0');
  await says(page, '#waiting', '0');
  await says(page, 'figure.plot:nth-child(4) figcaption', /p95 [\d.]+ m?s/);
  t.deepEqual(faults, []);
});

test.serial('a user opens to the queue and to the live events of the running message, without any text', async (t) => {
  const { client, worker, page, faults } = await aDashboard(t);
  const id = await running(client, 'ruth');
  const waiting = await client.send('ruth', 'Secret words');
  await page.fill('#user', 'ruth');
  await page.press('#user', 'Enter');
  await says(page, 'h2#queue', 'Queue of ruth');
  t.is(await page.evaluate('document.activeElement.id'), 'queue');
  await says(page, '.queue tbody tr:nth-child(1)', new RegExp(`${id.slice(-12)}\\s*processing\\s*–.*1\\s*Cancel`));
  await says(page, '.queue tbody tr:nth-child(2)', new RegExp(`${waiting.slice(-12)}\\s*queued\\s*1.*0\\s*Cancel`));
  await says(page, '.events li:nth-child(3)', /^3 status \d+ B$/);

  // A question is asked first, and the focus goes back after.
  const cancel = page.locator('.queue tbody tr:nth-child(2) button');
  await cancel.press('Enter');
  await says(page, 'dialog', /Cancel the waiting message/);
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  t.regex(
    String(await page.evaluate('document.activeElement.ariaLabel')),
    new RegExp(`Cancel message ${waiting.slice(-12)}`),
  );
  t.like((await client.get(`/api/v1/queue/ruth/messages/${waiting}`)).body, { status: 'queued' });
  await cancel.press('Enter');
  await page.click('dialog button.danger');
  await says(page, '.notice', 'The message was cancelled.');
  t.like((await client.get(`/api/v1/queue/ruth/messages/${waiting}`)).body, { status: 'cancelled' });

  worker.hurry();
  await says(page, '.queue p strong >> nth=0', 'idle');
  t.notRegex(await page.content(), /Secret|somebody/);
  await page.click('.queue .close');
  t.is(await page.evaluate('document.activeElement.id'), 'user');
  t.deepEqual(faults, []);
});

test.serial('a dead letter is retried from the page and completes; another one is discarded', async (t) => {
  const { client, page, faults } = await aDashboard(t);
  const id = await client.send('ruth', '[[status=400 failtimes=1]] Hi');
  await client.all('ruth', id);
  const other = await client.send('boaz', '[[status=400]] Hi');
  await client.all('boaz', other);
  await page.click(`tr[data-message="${id}"] button:text("Retry")`);
  await page.click('dialog button:text("Retry")');
  await says(page, '.notice', /^Trying the message of ruth/);
  await page.locator(`tr[data-message="${id}"]`).waitFor({ state: 'detached' });
  await client.all('ruth', id);
  t.like((await client.get(`/api/v1/queue/ruth/messages/${id}`)).body, { status: 'completed' });
  await page.click(`tr[data-message="${other}"] button:text("Discard")`);
  await page.click('dialog button:text("Discard")');
  await says(page, '.notice', /^Discarded the message of boaz/);
  await page.locator(`tr[data-message="${other}"]`).waitFor({ state: 'detached' });
  t.deepEqual((await client.get('/api/v1/dead-letters')).body['dead_letters'], []);
  t.deepEqual(faults, []);
});

test.serial('a wrong key is told clearly, and a right one is kept for this tab only', async (t) => {
  const { page, faults } = await aDashboard(t, { BROKER_API_KEY: 'right' }, 'right');
  await page.fill('#key', 'wrong');
  await page.press('#key', 'Enter');
  await says(page, '#key-fault', /does not know this key/);
  t.deepEqual(await barriers(page), []);
  t.is(await page.locator('#status').count(), 0);
  await page.fill('#key', 'right');
  await page.press('#key', 'Enter');
  await says(page, '#status', 'healthy');
  await page.reload();
  await says(page, '#status', 'healthy');
  t.is(await page.evaluate('localStorage.length'), 0);
  t.is(await page.evaluate('document.cookie'), '');
  await page.click('header button');
  await page.locator('#key').waitFor();
  t.deepEqual(faults, []);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.serial(`nothing on the page keeps people out, in ${colorScheme}, and on a phone`, async (t) => {
    const { client, page, faults } = await aDashboard(t);
    await page.emulateMedia({ colorScheme });
    await running(client, 'ruth');
    await client.send('ruth', 'next');
    const dead = await client.send('boaz', '[[status=400]] Hi');
    await client.all('boaz', dead);
    await page.locator('tr[data-message]').waitFor();
    await page.click('tr[data-user="ruth"] button');
    await page.locator('.events li').first().waitFor();
    t.deepEqual(await barriers(page), []);
    await page.click('tr[data-message] button:text("Discard")');
    await page.locator('dialog[open]').waitFor();
    t.deepEqual(await barriers(page), []);
    await page.click('dialog button:text("No")');
    await page.setViewportSize(PHONE);
    t.deepEqual(await barriers(page), []);
    t.true(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing lies beside the page');
    t.deepEqual(faults, []);
  });
}
