import test from 'ava';
import { aSystem, STORES } from '../helpers/broker.ts';
import type { Client } from '../helpers/client.ts';
import { aTab, HOLD, says } from './tab.ts';

const USERS = Array.from({ length: 14 }, (_, n) => `user-${n}`);
/** Calls at once: enough for those who make the load, and not for all. */
const CALLS = 10;
const TALKERS = USERS.slice(0, CALLS);
/** Dead letters in a page. */
const SHOWN = 20;

/** Keeps what an element has shown, from now on. */
const WATCH = `(selector) => {
  const shown = new Set();
  (globalThis.shown ??= {})[selector] = shown;
  new MutationObserver(() => {
    const text = document.querySelector(selector)?.textContent;
    if (text) shown.add(text.trim());
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}`;

/** How many dead letters there are, page by page. */
async function lettersOf(client: Client): Promise<number> {
  let count = 0;
  for (let query = ''; ; ) {
    const { body } = await client.get(`/api/v1/dead-letters?limit=500${query}`);
    const { dead_letters: letters, next_cursor: next } = body;
    count += Array.isArray(letters) ? letters.length : 0;
    if (!next) return count;
    query = `&cursor=${next}`;
  }
}

for (const kind of STORES) {
  test.serial(`${kind}: counts move under load, and at rest the page's numbers are the store's`, async (t) => {
    const { url, client, worker } = await aSystem(t, kind, {
      env: { WORKER_CONCURRENCY: `${CALLS}` },
      worker: { ttftMs: 100, chunkMs: 20, jitterMs: 100 },
    });
    const { page, faults } = await aTab(t, url);
    await says(page, '#status', 'healthy');
    const moving = ['[data-machine="user"] [data-state="streaming"]', '#in', '#out', '#waiting'];
    for (const selector of moving) await page.evaluate(`(${WATCH})(${JSON.stringify(selector)})`);
    // Messages come while others are worked on, wait and end, until all has moved; some fail.
    let failed = 0;
    let moved = false;
    const load = TALKERS.map(async (user) => {
      for (let n = 0; !moved; n += 1) {
        const fails = n % 3 === 1;
        const id = await client.send(user, fails ? '[[status=400]] in vain' : 'In the beginning was the Word');
        if (fails) failed += 1;
        if (n % 2) await client.all(user, id);
      }
    });
    while (!(await page.evaluate('Object.values(globalThis.shown).every(({ size }) => size > 1)')));
    moved = true;
    await Promise.all(load);

    for (const user of USERS) {
      await client.send(user, HOLD);
      await client.send(user, 'next');
    }
    const queues = async () => {
      const answers = await Promise.all(USERS.map((user) => client.get(`/api/v1/queue/${user}`)));
      return answers.map(({ body }) => body);
    };
    const waitingIn = (all: Awaited<ReturnType<typeof queues>>) =>
      all.reduce((sum, queue) => sum + Number(queue['queue_length']), 0);
    // The last of those that made the load end first.
    const waiting = 2 * USERS.length - CALLS;
    let store = await queues();
    while (waitingIn(store) > waiting) store = await queues();
    t.is(store.filter((queue) => queue['is_processing']).length, CALLS);
    await says(page, '#waiting', `${waiting}`);
    await says(page, '#processing', `${CALLS}`);
    await says(page, '#queues', `${USERS.length}`);
    await says(page, '#in', '0/s');
    await says(page, '#out', '0/s');
    await says(page, '[data-machine="user"] [data-state="streaming"]', `${CALLS}`);
    await says(page, '[data-machine="user"] [data-state="claiming"]', `${USERS.length - CALLS}`);
    await says(page, '[data-machine="supervisor"] [data-state="running"]', '1');
    for (const queue of store) {
      const row = (list: string) => page.locator(`[data-list="${list}"] tr[data-user="${queue['user_id']}"]`);
      t.is(await row('at-work').count(), queue['is_processing'] ? 1 : 0, `${queue['user_id']}`);
      if (queue['queue_length']) {
        t.is(await row('waiting').locator('td:last-child').textContent(), `${queue['queue_length']}`);
      } else t.is(await row('waiting').count(), 0);
    }
    t.is(await page.locator('tr[data-message]').count(), Math.min(failed, SHOWN));
    await says(page, '#letters', failed.toLocaleString('en'));
    t.like((await client.get('/health')).body, { dead_letters: failed });
    t.is(await lettersOf(client), failed);
    const plots = await page.locator('figure.plot figcaption').allTextContents();
    for (const [index, caption] of plots.entries()) {
      const told = [/in 0\/s.*out 0\/s/s, /waiting 18/, /oldest \d/, /p50 \d.*p95 \d/s, /p50 \d.*p95 \d/s][index];
      t.regex(caption, told ?? /never/);
    }

    worker.hurry();
    await says(page, '#queues', `${USERS.length - CALLS}`);
    worker.hurry();
    await says(page, '#queues', '0');
    await says(page, '[data-machine="user"] [data-state="streaming"]', '0');
    await says(page, '[data-list="waiting"], .lists > div:last-child p', 'Nobody.');
    t.deepEqual(faults, []);
  });
}
