/**
 * Draws docs/images/: the dashboard of a broker under load, light and dark, on a phone, and at one user's queue.
 * `node scripts/screenshots.ts`; it needs chromium.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { startBroker } from '../src/broker.ts';
import { readConfig } from '../src/config.ts';
import { startSimulatedWorker } from '../src/simulated-worker/server.ts';

const IMAGES = fileURLToPath(new URL('../docs/images/', import.meta.url));
const CHROMIUM = '/usr/bin/chromium';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];
/** So long there is load before the pictures are taken. */
const LOAD_MS = 45_000;
const USERS = ['ruth', 'boaz', 'naomi', 'esther', 'mordecai', 'daniel', 'hannah', 'samuel', 'lydia', 'silas'];

const VERSE = 'In the beginning was the Word. ';

const DESKTOP = { viewport: { width: 1280, height: 1200 } } satisfies BrowserContextOptions;
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true } satisfies BrowserContextOptions;

const directory = mkdtempSync(join(tmpdir(), 'screenshots-'));
const worker = await startSimulatedWorker({});
const endpoint = createServer((_, response) => setTimeout(() => response.end(), 700)).listen(0, '127.0.0.1');
await new Promise((resolve) => endpoint.once('listening', resolve));
const address = endpoint.address();
const host = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
const config = readConfig({
  HOST: '127.0.0.1',
  PORT: '0',
  STORE: 'embedded',
  DATA_DIR: directory,
  WORKER_BASE_URL: worker.url,
  WORKER_CONCURRENCY: '8',
  CALLBACK_ALLOW_HOSTS: host,
  SHUTDOWN_SECONDS: '0',
});
const broker = await startBroker(config, pino({ level: 'silent' }));
const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGS });
const stop = new AbortController();
const load = makeLoad();
try {
  mkdirSync(IMAGES, { recursive: true });
  await delay(LOAD_MS);
  await picture('dashboard-light', { ...DESKTOP, colorScheme: 'light' });
  await picture('dashboard-dark', { ...DESKTOP, colorScheme: 'dark' });
  await picture('dashboard-phone', { ...PHONE, colorScheme: 'light' });
  await picture('dashboard-machines-light', { ...DESKTOP, colorScheme: 'light' }, undefined, '[data-machine="user"]');
  await picture('dashboard-machines-dark', { ...DESKTOP, colorScheme: 'dark' }, undefined, '[data-machine="user"]');
  await picture('dashboard-user', { ...DESKTOP, colorScheme: 'light' }, openSlow);
} finally {
  stop.abort();
  await load;
  await browser.close();
  await broker.stop();
  endpoint.close();
  await worker.close();
  rmSync(directory, { recursive: true, force: true });
}

/** Of what is to be seen of the page, or of one thing on it. */
async function picture(
  name: string,
  options: BrowserContextOptions,
  prepare?: (page: Page) => Promise<void>,
  only?: string,
) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(`${broker.url}/dashboard`);
  await page.waitForSelector('.canvas canvas');
  // Some frames, so that all that comes with them is there.
  await delay(3000);
  await prepare?.(page);
  const path = join(IMAGES, `${name}.png`);
  await (only ? page.locator(only).screenshot({ path }) : page.screenshot({ path }));
  await context.close();
}

/** Opens a user whose answer takes its time, while more wait. */
async function openSlow(page: Page): Promise<void> {
  for (const text of [`[[text="${VERSE.repeat(4)}" ttft=300 chunk=500]] Hi`, 'And then?', 'Amen'])
    await say('naomi-2', text);
  await page.fill('#user', 'naomi-2');
  await page.press('#user', 'Enter');
  await page.waitForSelector('.events li:nth-child(9)');
  await page.fill('#user', '');
  // The page gives the queue's heading the focus, and with it brings it into view.
  await page.locator('section.queue .close').scrollIntoViewIfNeeded();
}

/** People who talk, a few more at once than there are worker calls; some of them in vain. */
async function makeLoad(): Promise<void> {
  for (let turn = 0; !stop.signal.aborted; turn += 1) {
    const user = USERS[(turn * 7) % USERS.length] ?? 'ruth';
    const text = turn % 37 === 7 ? '[[status=400]] Hi' : `[[text="${VERSE.repeat(3)}" ttft=900]] Hi`;
    const callback = turn % 4 ? {} : { callback_url: `http://${host}/` };
    await say(turn % 2 ? `${user}-${turn % 40}` : user, text, callback);
    await delay(130 + 90 * Math.sin(turn / 25));
  }
}

async function say(user: string, message: string, more: Record<string, string> = {}): Promise<void> {
  await fetch(`${broker.url}/api/v1/message`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: user, org_id: 'unfoldingWord', client_id: 'web', message, ...more }),
  });
}
