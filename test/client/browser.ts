import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { chromium, type Page } from 'playwright-core';
import type { BrokerClientOptions } from '../../src/client/index.ts';
import { aDirectory } from '../helpers/broker.ts';

const CHROMIUM = '/usr/bin/chromium';
const NOT_INSTALLED = 'chromium is missing; install it with: apt-get update && apt-get install -y chromium';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage'];

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PARSER = join(ROOT, 'node_modules/eventsource-parser/dist');

/** Sends the message behind its `#`, with a client of the options there; shows all stored events, and which was the last. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<link rel="icon" href="data:,">
<script type="importmap">{ "imports": { "eventsource-parser": "/eventsource-parser/index.js" } }</script>
<script type="module">
  import { BrokerClient } from '/client/index.js';
  const { options, message } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  const client = new BrokerClient(options);
  const events = [];
  let end;
  try {
    for await (const event of client.sendAndStream(message)) {
      if (event.id !== undefined) events.push(event);
      end = event.type;
    }
  } catch (error) {
    end = String(error.stack);
  }
  document.body.dataset.events = JSON.stringify(events);
  document.body.dataset.end = end;
</script>
<body>`;

/** The address of that page. */
export function pageOf(origin: string, options: BrokerClientOptions, message: unknown): string {
  return `${origin}/page#${encodeURIComponent(JSON.stringify({ options, message }))}`;
}

/** A tab of a browser of its own. */
export async function aBrowser(t: ExecutionContext): Promise<Page> {
  if (!existsSync(CHROMIUM)) throw new Error(NOT_INSTALLED);
  const browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: ARGS });
  t.teardown(() => browser.close());
  return browser.newPage();
}

/** Serves a page with the client library as it is built for packages; false for what is none of its files. */
export async function aPage(
  t: ExecutionContext,
): Promise<(request: IncomingMessage, response: ServerResponse) => boolean> {
  const client = aDirectory(t);
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc6');
  await promisify(execFile)(process.execPath, [compiler, '-p', join(ROOT, 'src/client'), '--outDir', client]);
  return ({ url = '' }, response) => {
    const [, folder, name = ''] = /^\/(page|client|eventsource-parser)(?:\/([\w-]+[.]js))?$/.exec(url) ?? [];
    if (folder === undefined) return false;
    if (folder === 'page') response.setHeader('Content-Type', 'text/html').end(PAGE);
    else {
      const file = readFileSync(join(folder === 'client' ? client : PARSER, name));
      response.setHeader('Content-Type', 'text/javascript').end(file);
    }
    return true;
  };
}
