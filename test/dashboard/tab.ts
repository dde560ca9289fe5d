import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import type { Page } from 'playwright-core';
import { aBrowser } from '../client/browser.ts';
import type { Client } from '../helpers/client.ts';

/** The worker streams, and is not done before the test hurries it. */
export const HOLD = '[[text="Secret words of somebody" ttft=60000]]';
const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

/** The dashboard at an address, in a tab that may go nowhere else. `prepare`: before it is opened. */
export async function aTab(
  t: ExecutionContext,
  url: string,
  prepare: (page: Page) => Promise<unknown> = () => Promise.resolve(),
) {
  const page = await aBrowser(t);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => {
    const { origin } = new URL(request.url());
    if (origin !== url) faults.push(`a request to ${request.url()}`);
  });
  page.on('console', (said) => {
    // What the browser says of an answer such as 401 is no fault of the page.
    if (said.type() === 'error' && !said.text().startsWith('Failed to load resource')) faults.push(said.text());
  });
  await prepare(page);
  await page.goto(`${url}/dashboard`);
  return { page, faults };
}

export async function running(client: Client, userId: string): Promise<string> {
  const id = await client.send(userId, HOLD);
  await client.streaming(userId, id);
  return id;
}

/** Resolves once the element says so. */
export async function says(page: Page, selector: string, text: string | RegExp): Promise<void> {
  const pattern = typeof text === 'string' ? new RegExp(`^\\s*${text}\\s*$`) : text;
  await page.locator(selector).filter({ hasText: pattern }).waitFor({ state: 'attached' });
}

/** Whether all of an element is within the window. */
export async function inSight(page: Page, selector: string): Promise<boolean> {
  const box = await page.locator(selector).boundingBox();
  const height = page.viewportSize()?.height ?? 0;
  return box !== null && box.y >= 0 && box.height > 0 && box.y + box.height <= height;
}

/** What axe finds that keeps people out; `impacts`: how much so. */
export async function barriers(page: Page, impacts = ['serious', 'critical']): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(`axe.run().then(({ violations }) => violations
    .filter(({ impact }) => ${JSON.stringify(impacts)}.includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join(' '))))`);
}

/** The requests of a page to a path: all so far, those not answered yet, and how many those were at most. */
export function requestsTo(page: Page, path: string) {
  const open = new Set<object>();
  const seen = { all: 0, most: 0, open };
  page.on('request', (request) => {
    if (new URL(request.url()).pathname !== path) return;
    open.add(request);
    seen.all += 1;
    seen.most = Math.max(seen.most, open.size);
  });
  page.on('requestfinished', (request) => open.delete(request));
  page.on('requestfailed', (request) => open.delete(request));
  return seen;
}
