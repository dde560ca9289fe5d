import test from 'ava';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { aDirectory, aSystem, aWorker, STORES } from '../helpers/broker.ts';
import { type Client, theEnd } from '../helpers/client.ts';
import { endedBroker } from '../helpers/process.ts';
import { aMessage, settingsOf } from '../store/contract/kit.ts';

const read = (client: Client, id: string) => client.get(`/api/v1/queue/u/messages/${id}`);
const stream = (client: Client, id: string) => client.get(`/api/v1/stream?user_id=u&message_id=${id}`);

async function forgotten(client: Client, id: string): Promise<void> {
  while ((await read(client, id)).status !== 404);
}

for (const kind of STORES) {
  test(`${kind}: EVENT_RETENTION_SECONDS: a completed message is forgotten, a failed one is kept`, async (t) => {
    const { client } = await aSystem(t, kind, { env: { EVENT_RETENTION_SECONDS: '1' } });
    const failed = await client.send('u', '[[status=500]]');
    const completed = await client.send('u', 'hello');
    t.like(theEnd(await client.all('u', completed)), { event: 'done' });
    await forgotten(client, completed);
    t.like(await stream(client, completed), { status: 404, body: { code: 'unknown_message' } });
    t.like((await read(client, failed)).body, { status: 'failed' });
    t.like((await client.get('/api/v1/dead-letters')).body, { dead_letters: [{ message_id: failed }] });
  });

  test(`${kind}: DEAD_LETTER_RETENTION_SECONDS: a failed message is forgotten, a completed one is kept`, async (t) => {
    const { client } = await aSystem(t, kind, { env: { DEAD_LETTER_RETENTION_SECONDS: '1' } });
    const completed = await client.send('u', 'hello');
    const failed = await client.send('u', '[[status=500]]');
    t.like(theEnd(await client.all('u', failed)), { event: 'error' });
    await forgotten(client, failed);
    t.is((await stream(client, failed)).status, 404);
    t.like((await client.get('/api/v1/dead-letters')).body, { dead_letters: [] });
    t.like((await read(client, completed)).body, { status: 'completed' });
  });

  test(`${kind}: a Retry-After that is a date is waited for`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const arrivals: number[] = [];
    let due = 0;
    worker.respond = () => {
      arrivals.push(Date.now());
      // A date has no fractions of a second.
      due ||= Math.ceil(Date.now() / 1000) * 1000 + 2000;
      return { status: 429, retryafter: new Date(due).toUTCString(), failtimes: 1, text: 'at last' };
    };
    t.like(theEnd(await client.all('u', await client.send('u', 'hello'))), { event: 'done' });
    const [, second = 0, ...more] = arrivals;
    t.is(more.length, 0);
    // A timer may be early by less than a millisecond.
    t.true(second >= due - 2, `called ${due - second} ms before its time`);
  });
}

/** pino's numbers for the levels. */
const LEVELS: Record<string, readonly number[]> = { INFO: [30, 40], Warning: [40], error: [] };

for (const [name, levels] of Object.entries(LEVELS)) {
  test(`LOG_LEVEL ${name}: what is less than that is not logged`, async (t) => {
    const worker = await aWorker(t);
    const env = { STORE: 'embedded', DATA_DIR: aDirectory(t), WORKER_BASE_URL: worker.url, LOG_LEVEL: name };
    // There before the broker, whose address is in the log if anywhere.
    const store = new EmbeddedStore(env.DATA_DIR, settingsOf());
    await store.enqueue(aMessage('u', { payload: '{"user_id":"u","client_id":"web","message":"hello"}' }));
    await store.close();
    const answered = worker.until(() => worker.calls[0]?.finishedAt);
    const { code, output } = await endedBroker(t, env, answered);
    t.is(code, 0);
    const lines = output.split('\n').filter(Boolean);
    t.deepEqual([...new Set(lines.map((line) => JSON.parse(line).level))].toSorted(), levels);
  });
}
