import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { aServer } from '../client/helpers.ts';
import { TcpProxy } from '../faults/proxy.ts';
import { aBroker, aStore, aSystem, aWorker } from '../helpers/broker.ts';
import { Client } from '../helpers/client.ts';
import { startRedis } from '../helpers/redis.ts';
import { aScriptedWorker, COMPLETE } from '../helpers/scripted-worker.ts';
import { aTab, barriers, inSight, requestsTo, running, says } from './tab.ts';

const EVENTS = '/api/v1/dashboard/events';

async function aLockedSystem(t: ExecutionContext) {
  const system = await aSystem(t, 'embedded', { env: { BROKER_API_KEY: 'right' } });
  return { ...system, client: new Client(system.url, { 'x-api-key': 'right' }) };
}

test.serial('a wrong key is told clearly, and a right one is kept for this tab only', async (t) => {
  const { url } = await aLockedSystem(t);
  const { page, faults } = await aTab(t, url);
  await page.fill('#key', 'wrong');
  await page.press('#key', 'Enter');
  await says(page, '#key-fault', /does not know this key/);
  t.deepEqual(await barriers(page), []);
  t.is(await page.locator('#status').count(), 0);
  await page.fill('#key', 'right');
  await page.press('#key', 'Enter');
  await says(page, '#status', 'healthy');
  t.is(await page.evaluate('document.activeElement.tagName'), 'H1');
  await page.reload();
  await says(page, '#status', 'healthy');
  t.is(await page.evaluate('localStorage.length'), 0);
  t.is(await page.evaluate('document.cookie'), '');
  await page.click('header button');
  await page.locator('#key').waitFor();
  t.deepEqual(faults, []);
});

test.serial('what no header can hold is told to be no key, and is neither kept nor tried', async (t) => {
  const { url } = await aLockedSystem(t);
  const { page, faults } = await aTab(t, url);
  const asked = requestsTo(page, EVENTS);
  await page.fill('#key', 'schlüssel-鍵');
  await page.press('#key', 'Enter');
  await says(page, '#key-fault', /^This is no key/);
  t.is(await page.evaluate('sessionStorage.length'), 0);
  t.is(asked.all, 0);
  await page.fill('#key', 'right');
  await page.press('#key', 'Enter');
  await says(page, '#status', 'healthy');
  t.deepEqual(faults, []);
});

test.serial('a key that is entered again and again is followed once', async (t) => {
  const { url } = await aLockedSystem(t);
  const { page, faults } = await aTab(t, url);
  await page.locator('#key').waitFor();
  const asked = requestsTo(page, EVENTS);
  await page.evaluate(`(() => {
    const [form, key] = [document.querySelector('form.key'), document.querySelector('#key')];
    for (const value of ['wrong', 'right', 'right']) {
      key.value = value;
      form.requestSubmit();
    }
  })()`);
  await says(page, '#status', 'healthy');
  t.deepEqual([asked.all, asked.open.size], [3, 1], 'those before were left');
  await page.reload();
  await says(page, '#status', 'healthy');
  t.deepEqual(faults, []);
});

test.serial("after a blip the page and a message's events go on where they were", async (t) => {
  const worker = await aScriptedWorker(t);
  const { url, client } = await aBroker(t, { ...(await aStore(t, 'embedded')), WORKER_BASE_URL: worker.url });
  const proxy = await TcpProxy.start(Number(new URL(url).port));
  t.teardown(() => proxy[Symbol.asyncDispose]());
  const { page, faults } = await aTab(t, `http://127.0.0.1:${proxy.port}`);
  await client.send('ruth', 'Hi');
  const call = await worker.call(1);
  call.say({ type: 'status', message: 'Thinking' });
  await page.click('[data-list="at-work"] tr[data-user="ruth"] button');
  await says(page, '.events li:nth-child(3)', /^3 status/);

  proxy.cut();
  await says(page, '.connection', /^\s*not connected/);
  await page.evaluate('scrollTo(0, 1e6)');
  t.true(await inSight(page, '.connection'));
  await says(page, '.status.away', /^\s*healthy\s+at [\d:]+; how it is now is not known\s*$/);
  t.deepEqual(await barriers(page), []);
  await says(page, '.queue .fault[role="status"]', /^Not connected/);
  call.say({ type: 'progress', text: 'In the beginning' });
  proxy.heal();
  await says(page, '.events li:nth-child(4)', /^4 progress/);
  await says(page, '.connection', 'live');
  await says(page, '.status.healthy', 'healthy');
  t.is(await page.locator('.queue .fault[role="status"]').textContent(), '');
  call.say(COMPLETE);
  call.end();
  await says(page, '.queue p strong >> nth=0', 'idle');
  t.deepEqual(faults, []);
});

test.serial('live events are followed to the newest, but not under the eyes of who reads older ones', async (t) => {
  const worker = await aScriptedWorker(t);
  const { url, client } = await aBroker(t, { ...(await aStore(t, 'embedded')), WORKER_BASE_URL: worker.url });
  const { page, faults } = await aTab(t, url);
  await client.send('ruth', 'Hi');
  const call = await worker.call(1);
  const say = (times: number) => {
    for (let n = 0; n < times; n += 1) call.say({ type: 'progress', text: 'word' });
  };
  const last = (id: number) => says(page, '.events li:last-child', new RegExp(`^${id} progress`));
  const fromEnd = () =>
    page.evaluate(
      '(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight)(document.querySelector(".events"))',
    );
  say(198);
  await page.click('[data-list="at-work"] tr[data-user="ruth"] button');
  await last(200);
  t.true(Number(await fromEnd()) < 2);
  t.is(await page.locator('.events li').count(), 100);

  await page.evaluate('document.querySelector(".events").scrollTo(0, 50)');
  say(20);
  await last(220);
  await says(page, '.events li:first-child', /^101 progress/);
  t.is(await page.evaluate('document.querySelector(".events").scrollTop'), 50);

  await page.evaluate('document.querySelector(".events").scrollTo(0, 1e6)');
  say(1);
  await last(221);
  t.true(Number(await fromEnd()) < 2);
  t.is(await page.locator('.events li').count(), 100);
  t.deepEqual(faults, []);
});

test.serial('an opened queue is asked for once at a time, however long the store is silent', async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.stop());
  const worker = await aWorker(t);
  const { url, client } = await aBroker(t, { REDIS_URL: redis.url, WORKER_BASE_URL: worker.url });
  await running(client, 'ruth');
  const { page, faults } = await aTab(t, url);
  const asked = requestsTo(page, '/api/v1/queue/ruth');
  await page.click('[data-list="at-work"] tr[data-user="ruth"] button');
  await says(page, '.queue tbody tr', /processing/);
  await says(page, '.lists > div:last-child p', 'Nobody.');
  redis.freeze();
  t.teardown(() => redis.resume());
  await says(page, '.queue .fault[role="alert"]', /store/);
  t.is(asked.most, 1);
  await says(page, '.stale >> nth=0', /^As of .* the store does not tell it now/);
  redis.resume();
  await page.locator('.queue .fault[role="alert"]:empty').waitFor({ state: 'attached' });
  await page.locator('.stale').first().waitFor({ state: 'detached' });
  t.deepEqual(faults, []);
});

/** Counts what comes over the streams of a page, in `chunks`. */
const COUNT_CHUNKS = `(() => {
  globalThis.chunks = 0;
  const { read } = ReadableStreamDefaultReader.prototype;
  ReadableStreamDefaultReader.prototype.read = function () {
    const reading = read.call(this);
    reading.then(() => { globalThis.chunks += 1; }, () => {});
    return reading;
  };
})()`;

test.serial('a link that is slow is no link that is gone', async (t) => {
  const { url } = await aSystem(t, 'embedded');
  const begun = Promise.withResolvers<SlowStream>();
  const slow = await aServer(t, (incoming, response) => {
    const stream = incoming.url === EVENTS ? new SlowStream(response) : undefined;
    if (stream) begun.resolve(stream);
    pass(url, incoming, response, (bytes) => {
      if (stream) stream.take(bytes);
      else response.write(bytes);
    });
  });
  let asked = { all: 0 };
  const { page, faults } = await aTab(t, slow, async (tab) => {
    asked = requestsTo(tab, EVENTS);
    await tab.clock.install();
    await tab.addInitScript(COUNT_CHUNKS);
  });
  const stream = await begun.promise;
  for (let piece = 1; piece <= 3; piece += 1) {
    await stream.give(10);
    while (Number(await page.evaluate('chunks')) < piece);
    await page.clock.runFor(6000);
  }
  await stream.give(Infinity);
  await says(page, '#status', 'healthy');
  t.is(asked.all, 1);
  t.deepEqual(faults, []);
});

/** Gives a stream on in pieces, as large as the test says. */
class SlowStream {
  readonly #response: ServerResponse;
  readonly #came = new EventEmitter();
  #bytes = Buffer.alloc(0);
  #all = false;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  take(bytes: Buffer): void {
    if (this.#all) return void this.#response.write(bytes);
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    this.#came.emit('bytes');
  }

  /** The next so many bytes, once they are there; `Infinity`: all from now on. */
  async give(bytes: number): Promise<void> {
    this.#all = bytes === Infinity;
    while (!this.#all && this.#bytes.length < bytes) await once(this.#came, 'bytes');
    this.#response.write(this.#bytes.subarray(0, bytes));
    this.#bytes = this.#bytes.subarray(bytes);
  }
}

/** Passes a request on, and what comes back to `take`. */
function pass(url: string, incoming: IncomingMessage, response: ServerResponse, take: (bytes: Buffer) => void): void {
  const { method = 'GET', headers } = incoming;
  const outgoing = request(`${url}${incoming.url}`, { method, headers });
  outgoing.on('error', () => response.destroy());
  outgoing.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 500, answer.headers).flushHeaders();
    answer.on('data', take);
    answer.on('end', () => response.end());
  });
  response.once('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}
