import test, { type ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { aSystem } from '../helpers/broker.ts';
import { anEndpoint } from '../helpers/endpoint.ts';
import { aTab, barriers, HOLD, inSight, running, says } from './tab.ts';

const PHONE = { width: 390, height: 844 };

/** A broker, and its dashboard. */
async function aDashboard(
  t: ExecutionContext,
  env: Record<string, string> = {},
  prepare?: (page: Page) => Promise<unknown>,
) {
  const system = await aSystem(t, 'embedded', { env });
  return { ...system, ...(await aTab(t, system.url, prepare)) };
}

test.serial('a user opens to the queue and to the live events of the running message, without any text', async (t) => {
  const { client, worker, page, faults } = await aDashboard(t, {}, (tab) =>
    // The clock of who looks at it is an hour slow.
    tab.addInitScript('{ const { now } = Date; Date.now = () => now() - 3_600_000; }'),
  );
  const id = await running(client, 'ruth');
  const waiting = await client.send('ruth', 'Secret words');
  await page.fill('#user', 'ruth');
  await page.press('#user', 'Enter');
  await says(page, 'h2#queue', 'Queue of ruth');
  t.is(await page.evaluate('document.activeElement.id'), 'queue');
  const age = '\\s*\\d[\\d.]* m?s\\s*';
  await says(page, '.queue tbody tr:nth-child(1)', new RegExp(`${id.slice(-12)}\\s*processing\\s*–${age}1\\s*Cancel`));
  await says(page, '.queue tbody tr:nth-child(2)', new RegExp(`${waiting.slice(-12)}\\s*queued\\s*1${age}0\\s*Cancel`));
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
  await says(page, 'dialog', new RegExp(`Cancel the waiting message ${waiting} of ruth`));
  await page.click('dialog button.danger');
  await says(page, '.notice', 'The message was cancelled.');
  t.like((await client.get(`/api/v1/queue/ruth/messages/${waiting}`)).body, { status: 'cancelled' });
  await cancel.waitFor({ state: 'detached' });
  const label = String(await page.evaluate('document.activeElement.ariaLabel'));
  t.regex(label, new RegExp(`Cancel message ${id.slice(-12)}`), 'the row that is left has the focus');

  await client.send('ruth', 'Secret words');
  await page.click('button:text("Cancel all that wait")');
  await says(page, 'dialog', /Cancel all that wait of ruth \(1 message\)\?/);
  await page.click('dialog button.danger');
  await says(page, '.notice', 'Cancelled 1 message of ruth.');
  t.is(await page.evaluate('document.activeElement.id'), 'queue');

  worker.hurry();
  await says(page, '.queue p strong >> nth=0', 'idle');
  await says(page, '.queue h3', new RegExp(`Events of the message that ran last ${id}`));
  await says(page, '.events li:last-child', /done status: completed/);
  t.is(await page.locator('.queue .fault[role="status"]').textContent(), '', 'an end is no lost connection');
  t.notRegex(await page.content(), /Secret|somebody/);
  await page.click('.queue .close');
  t.is(await page.evaluate('document.activeElement.id'), 'user');
  t.deepEqual(faults, []);
});

test.serial('with content shown, no more of an event is than a person reads', async (t) => {
  const { client, page, faults } = await aDashboard(t, { DASHBOARD_SHOW_CONTENT: 'true' });
  const id = await client.send('ruth', '[[text="In the beginning" size=100000 events=1 stall=1]]');
  await client.streaming('ruth', id);
  await page.click('[data-list="at-work"] tr[data-user="ruth"] button');
  const event = page.locator('.events li').filter({ hasText: 'progress' });
  await event.waitFor();
  t.regex((await event.textContent()) ?? '', /^\d+ progress 100 kB .{300}…$/);
  t.deepEqual(faults, []);
});

test.serial('a notice is seen wherever one is on the page, and goes by itself', async (t) => {
  const { client, page, faults } = await aDashboard(t, {}, (tab) => tab.clock.install());
  for (let n = 0; n < 30; n += 1) await client.send('ruth', n ? 'next' : HOLD);
  await page.click('[data-list="waiting"] tr[data-user="ruth"] button');
  await page.locator('.queue tbody tr:nth-child(30) button').click();
  await page.click('dialog button.danger');
  await says(page, '.notice', 'The message was cancelled.');
  t.true(await inSight(page, '.notice'));
  await page.clock.runFor(15_000);
  await page.locator('.notice:empty').waitFor({ state: 'attached' });
  t.deepEqual(faults, []);
});

test.serial('an opened user is in sight, outlasts a reload, and closes on the way back', async (t) => {
  const { client, page, faults } = await aDashboard(t);
  const user = 'Ruth & co#1';
  const dead = await client.send(user, '[[status=400]] Hi');
  await client.all(user, dead);
  const name = page.locator(`tr[data-message="${dead}"] th button`);
  await name.press('Enter');
  await says(page, 'h2#queue', `Queue of ${user}`);
  t.is(await page.evaluate('document.activeElement.id'), 'queue');
  t.true(await inSight(page, 'h2#queue'));
  await page.keyboard.press('Tab');
  await page.reload();
  await says(page, 'h2#queue', `Queue of ${user}`);
  t.true(await inSight(page, 'h2#queue'));
  await page.goBack();
  await page.locator('h2#queue').waitFor({ state: 'detached' });
  await page.goForward();
  await says(page, 'h2#queue', `Queue of ${user}`);
  await page.click('.queue .close');
  t.is(new URL(page.url()).hash, '');
  t.deepEqual(faults, []);
});

test.serial(
  'a dead letter opens to the events of its message, also to those that come when it is retried',
  async (t) => {
    const { client, worker, page, faults } = await aDashboard(t);
    const [id, other] = [
      await client.send('ruth', '[[status=400]] Hi'),
      await client.send('ruth', '[[status=400]] Hi'),
    ];
    await client.all('ruth', other);
    await page.getByRole('button', { name: `ruth: events of message ${id}` }).press('Enter');
    await says(page, '.queue h3', `Events of message ${id}`);
    await says(
      page,
      '.events li:last-child',
      /^3 error status: failed, code: worker_rejected, error: The worker answered 400/,
    );
    t.is(await page.evaluate('document.activeElement.id'), 'queue');
    await page.getByRole('button', { name: `ruth: events of message ${other}` }).press('Enter');
    await says(page, '.queue h3', `Events of message ${other}`);
    await page.goBack();
    await says(page, '.queue h3', `Events of message ${id}`);
    await page.reload();
    await says(page, '.events li:last-child', /^3 error/);
    await page.click(`tr[data-message="${id}"] button:text("Retry")`);
    await page.click('dialog button:text("Retry")');
    await says(page, '.events li:last-child', /^6 error/);
    t.is(await page.locator('.events li').count(), 6);
    t.is(worker.calls.length, 3);
    t.is(await page.locator('.queue .fault[role="status"]').textContent(), '');
    t.deepEqual(faults, []);
  },
);

test.serial('times are of 24 hours everywhere, and the zone is said once', async (t) => {
  const { client, page, faults } = await aDashboard(t, {}, async (tab) => {
    const session = await tab.context().newCDPSession(tab);
    await session.send('Emulation.setTimezoneOverride', { timezoneId: 'Asia/Kolkata' });
  });
  const id = await client.send('ruth', '[[status=400]] Hi');
  await client.all('ruth', id);
  await says(page, `tr[data-message="${id}"] td[data-label="Failed"]`, /\d\d:\d\d:\d\d$/);
  await says(page, '.facts .fact:first-child small', /^since (.*, )?\d\d:\d\d:\d\d$/);
  await says(page, 'footer', /^\s*Times are those of Asia\/(Kolkata|Calcutta) \(GMT\+5:30\)\./);
  t.is(await page.getByRole('link', { name: /HTTP interface/ }).getAttribute('href'), 'docs');
  t.deepEqual(faults, []);
});

/** Draws the plots anew with so many samples; the texts of their scales, plot by plot, and how far left each begins. */
const SCALES = `async (value, length) => {
  const scales = new Map();
  const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...area) {
    scales.set(this.canvas, []);
    return clearRect.apply(this, area);
  };
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const left = x - this.measureText(text).width;
    if (this.textAlign === 'right') scales.get(this.canvas)?.push({ text, left });
    return fillText.call(this, text, x, y);
  };
  const [{ render }, { html }, { Plots }] =
    await Promise.all(['preact', 'html', 'plots'].map((name) => import('/dashboard/' + name + '.js')));
  const names = ['in_per_second', 'waiting', 'oldest_wait_seconds', 'queue_p95_seconds', 'worker_p95_seconds'];
  const of = (field, valueAt) => ({ field, values: Array.from({ length }, (_, n) => valueAt(n)) });
  const columns = [of('at', (n) => 1_700_000_000 + n), ...names.map((name) => of(name, () => value))];
  const place = document.body.appendChild(document.createElement('div'));
  render(html\`<\${Plots} columns=\${columns} />\`, place);
  const told = () => [...place.querySelectorAll('canvas')].map((canvas) => scales.get(canvas) ?? []);
  while (told().filter(({ length }) => length).length < 5) await new Promise(requestAnimationFrame);
  return told();
}`;

test.serial('the scale of a plot is whole, and each of its ticks says something else', async (t) => {
  const { page } = await aDashboard(t, {}, (tab) => tab.setViewportSize(PHONE));
  for (const value of [0, 0.001, 0.03, 1, 7, 100, 5000, null]) {
    await page.reload();
    const scales: { text: string; left: number }[][] = await page.evaluate(`(${SCALES})(${value}, 10)`);
    t.is(scales.length, 5);
    for (const scale of scales) {
      const texts = scale.map(({ text }) => text);
      t.is(texts.length, new Set(texts).size, `${value}: ${texts}`);
      t.true(Math.min(...scale.map(({ left }) => left)) >= 0, `${value}: ${texts}`);
    }
  }
});

test.serial('what is typed seeks among the users listed, and opens any other by the whole name', async (t) => {
  const { client, page, faults } = await aDashboard(t);
  for (const user of ['Ruth of Moab', 'boaz']) await running(client, user);
  await client.send('boaz', 'next');
  const listed = (list: string) => page.locator(`[data-list="${list}"] tr[data-user]`);
  await listed('waiting').waitFor();
  t.is(await listed('at-work').count(), 2);
  await page.fill('#user', 'ruth');
  await says(page, '.lists > div:last-child p', 'Nobody.');
  t.deepEqual(
    await listed('at-work')
      .allTextContents()
      .then((rows) => rows.map((row) => row.split('Moab')[0])),
    ['Ruth of '],
  );
  await page.fill('#user', 'naomi');
  await says(page, '.search small', /^Nobody listed is named so/);
  await page.press('#user', 'Enter');
  await says(page, 'h2#queue', 'Queue of naomi');
  await says(page, '.queue p strong >> nth=0', 'idle');
  await page.fill('#user', '..');
  await page.press('#user', 'Enter');
  await says(page, '.notice', /^A browser takes “..” for a step in a path/);
  await says(page, 'h2#queue', 'Queue of naomi');
  t.deepEqual(faults, []);
});

test.serial('a callback that was given up is discarded without its message', async (t) => {
  const endpoint = await anEndpoint(t, () => ({ status: 410 }));
  const { client, page, faults } = await aDashboard(t, { CALLBACK_ALLOW_HOSTS: endpoint.host });
  const id = await client.send('ruth', '[[status=400]] Hi', { callback_url: endpoint.url });
  const rows = page.locator(`tr[data-message="${id}"]`);
  await rows.filter({ hasText: 'callback_undelivered' }).getByText('Discard').click();
  await page.click('dialog button:text("Discard")');
  await says(page, '.notice', new RegExp(`^Discarded the callback of message ${id} of ruth`));
  await rows.filter({ hasText: 'callback_undelivered' }).waitFor({ state: 'detached' });
  await says(page, `tr[data-message="${id}"]`, /worker_rejected/);
  t.is(await rows.count(), 1);
  t.deepEqual(faults, []);
});

test.serial('older dead letters are a page away, and dealt with there', async (t) => {
  const { client, page, faults } = await aDashboard(t);
  const users = Array.from({ length: 23 }, (_, n) => `user-${n}`);
  for (const user of users) await client.all(user, await client.send(user, '[[status=400]] in vain'));
  await says(page, 'tr[data-message] >> nth=0', /^user-22/);
  await says(page, '.pages', /^The newest 20\./);
  t.is(await page.locator('tr[data-message]').count(), 20);
  await page.click('.pages button:text("Older")');
  await says(page, '.pages', /^Older ones\./);
  const shown = () => page.locator('tr[data-message] th').allTextContents();
  t.deepEqual(await shown(), ['user-2', 'user-1', 'user-0']);
  t.true(await page.locator('.pages button:text("Older")').isDisabled());
  await page.locator('tr[data-message]').filter({ hasText: 'user-1' }).getByText('Discard').click();
  await page.click('dialog button:text("Discard")');
  await says(page, '.notice', /^Discarded the message \S+ of user-1 /);
  t.deepEqual(await shown(), ['user-2', 'user-0']);
  await page.click('.pages button:text("Newest")');
  await says(page, '.pages', /^The newest 20\./);
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
  await says(page, '.notice', /^Trying the message \S+ of ruth/);
  await page.locator(`tr[data-message="${id}"]`).waitFor({ state: 'detached' });
  await client.all('ruth', id);
  t.like((await client.get(`/api/v1/queue/ruth/messages/${id}`)).body, { status: 'completed' });
  await page.click(`tr[data-message="${other}"] button:text("Discard")`);
  await page.click('dialog button:text("Discard")');
  await says(page, '.notice', /^Discarded the message \S+ of boaz/);
  await page.locator(`tr[data-message="${other}"]`).waitFor({ state: 'detached' });
  t.is(await page.evaluate('document.activeElement.id'), 'dead-letters');
  t.deepEqual((await client.get('/api/v1/dead-letters')).body['dead_letters'], []);
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
    await page.click('[data-list="waiting"] tr[data-user="ruth"] button');
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
