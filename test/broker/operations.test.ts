import test from 'ava';
import { aBroker, aStore, aSystem, aWorker, STORES } from '../helpers/broker.ts';
import { aBody, type Client, type StreamEvent, theEnd } from '../helpers/client.ts';

const HOLD = '[[text="one two three" ttft=60000]]';

const messagePath = (userId: string, id: string) => `/api/v1/queue/${encodeURIComponent(userId)}/messages/${id}`;
const message = async (client: Client, userId: string, id: string) => (await client.get(messagePath(userId, id))).body;
const cancel = (client: Client, userId: string, id: string) => client.request('DELETE', messagePath(userId, id));

const idsOf = (events: readonly StreamEvent[]) => events.map(({ id }) => id);

/** A message that the worker works on until it is told to hurry. */
async function running(client: Client, userId: string): Promise<string> {
  const id = await client.send(userId, HOLD);
  await client.streaming(userId, id);
  return id;
}

for (const kind of STORES) {
  test(`${kind}: a message is told from waiting to its result`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const first = await running(client, 'u');
    const second = await client.send('u', '[[text="Hello there"]]');
    t.like(await message(client, 'u', second), {
      message_id: second,
      user_id: 'u',
      status: 'queued',
      queue_position: 1,
      attempts: 0,
      started_at: null,
      ended_at: null,
      result: null,
      code: null,
      error: null,
    });
    t.like(await message(client, 'u', first), { status: 'processing', queue_position: 0, attempts: 1, ended_at: null });
    worker.hurry();
    await client.all('u', second);
    const { result, ...ended } = await message(client, 'u', second);
    t.like(ended, { status: 'completed', attempts: 1, error: null });
    t.like(result, { responses: ['Hello there'] });
    const times = [ended['queued_at'], ended['started_at'], ended['ended_at']].map(String);
    t.deepEqual(times, times.toSorted());
    t.true(times.every((time) => !Number.isNaN(Date.parse(time))));

    t.like(await client.get(messagePath('u', 'unknown')), { status: 404, body: { code: 'unknown_message' } });
    t.like(await client.get(messagePath('other', second)), { status: 404 });
  });

  test(`${kind}: a queue shows what runs and what waits, in order, and for how long`, async (t) => {
    const { client } = await aSystem(t, kind);
    const queue = async (userId: string) => (await client.get(`/api/v1/queue/${userId}`)).body;
    const first = await running(client, 'u');
    const second = await client.send('u', 'second');
    // Time goes by between the two that wait.
    while (Number((await queue('u'))['oldest_wait_seconds']) < 0.1);
    const asked = Date.now();
    const ids = [first, second, await client.send('u', 'third')];
    const { oldest_wait_seconds: wait, ...shown } = await queue('u');
    const times = await Promise.all(ids.map(async (id) => String((await message(client, 'u', id))['queued_at'])));
    // By one clock, at one moment.
    const ageOf = (time = '') => Number(wait) + (Date.parse(times[1] ?? '') - Date.parse(time)) / 1000;
    t.deepEqual(shown, {
      user_id: 'u',
      queue_length: 2,
      is_processing: true,
      current_message_id: first,
      state: 'streaming',
      messages: ids.map((id, place) => ({
        message_id: id,
        status: place ? 'queued' : 'processing',
        queue_position: place,
        queued_at: times[place],
        age_seconds: Number(ageOf(times[place]).toFixed(3)),
        attempts: place ? 0 : 1,
      })),
    });
    for (const time of times) t.regex(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    t.deepEqual(times, times.toSorted());
    // Of the first of those that wait. The store's clock is this machine's.
    const [least, most] = [asked, Date.now()].map((at) => (at - Date.parse(times[1] ?? '')) / 1000);
    t.true(Number(wait) >= Number(least) && Number(wait) <= Number(most), `${wait} s, from ${least} to ${most}`);
    while (Number((await queue('u'))['oldest_wait_seconds']) <= Number(wait));

    const refused = await client.send('w', '[[status=503 retryafter=600]]');
    for await (const { event } of client.stream('w', refused)) if (event === 'retrying') break;
    t.like(await queue('w'), { is_processing: true, current_message_id: refused, state: 'dispatching' });
    t.deepEqual(await queue('never-seen'), {
      user_id: 'never-seen',
      queue_length: 0,
      is_processing: false,
      current_message_id: null,
      state: 'idle',
      oldest_wait_seconds: 0,
      messages: [],
    });
  });

  test(`${kind}: a waiting message that is cancelled never reaches the worker`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const first = await running(client, 'u');
    const second = await client.send('u', 'never');
    const third = await client.send('u', 'third');
    const listener = client.all('u', second);
    t.like(await cancel(client, 'u', second), { status: 200, body: { message_id: second, status: 'cancelled' } });
    t.like(theEnd(await listener), { event: 'error', status: 'cancelled', code: 'cancelled' });
    t.like(await cancel(client, 'u', second), { status: 409, body: { code: 'already_ended' } });
    t.like(await cancel(client, 'u', 'unknown'), { status: 404, body: { code: 'unknown_message' } });
    worker.hurry();
    t.like(theEnd(await client.all('u', third)), { event: 'done' });
    t.like(await cancel(client, 'u', first), { status: 409, body: { code: 'already_ended' } });
    t.deepEqual(
      worker.calls.map((call) => call.idempotencyKey),
      [first, third],
    );
  });

  test(`${kind}: a running message that is cancelled has its call broken off, and the next one runs`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const first = await running(client, 'u');
    const listener = client.all('u', first);
    const second = await client.send('u', 'second');
    t.like(await cancel(client, 'u', first), { status: 200, body: { status: 'cancelled' } });
    t.like(theEnd(await listener), { event: 'error', status: 'cancelled', code: 'cancelled' });
    t.like(theEnd(await client.all('u', second)), { event: 'done' });
    await worker.until(() => worker.calls[0]?.clientGone);
    t.like(await message(client, 'u', first), { status: 'cancelled', attempts: 1, result: null });
  });

  test(`${kind}: a message whose worker has not answered yet, or is to be tried again, can be cancelled`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const hanging = await client.send('a', '[[hang]]');
    const refused = await client.send('b', '[[status=503 retryafter=600]]');
    await worker.waitForCalls(2);
    for await (const { event } of client.stream('b', refused)) if (event === 'retrying') break;
    for (const [user, id] of [
      ['a', hanging],
      ['b', refused],
    ] as const) {
      t.like(await cancel(client, user, id), { status: 200, body: { status: 'cancelled' } });
      t.like(theEnd(await client.all(user, id)), { event: 'error', status: 'cancelled' });
      t.like(theEnd(await client.all(user, await client.send(user, 'next'))), { event: 'done' });
    }
    t.is(worker.calls.filter((call) => call.idempotencyKey === refused).length, 1);
  });

  test(`${kind}: clearing a queue cancels what waits and leaves what runs`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const first = await running(client, 'u');
    const waiting = [await client.send('u', 'a'), await client.send('u', 'b')];
    t.like(await client.request('DELETE', '/api/v1/queue/u'), { status: 200, body: { user_id: 'u', cancelled: 2 } });
    t.like(await client.request('DELETE', '/api/v1/queue/u'), { status: 200, body: { cancelled: 0 } });
    for (const id of waiting) t.like(theEnd(await client.all('u', id)), { event: 'error', status: 'cancelled' });
    worker.hurry();
    t.like(theEnd(await client.all('u', first)), { event: 'done' });
    t.is(worker.calls.length, 1);
  });

  test(`${kind}: what follows a message cancelled while it backed off waits for a slot as everybody does`, async (t) => {
    const { client, worker } = await aSystem(t, kind, { env: { WORKER_CONCURRENCY: '1' } });
    const users = ['a', 'b', 'c'];
    for (const user of users) {
      const id = await client.send(user, '[[status=429 retryafter=600]]');
      for await (const { event } of client.stream(user, id)) if (event === 'retrying') break;
    }
    await running(client, 'long');
    const urgent = await Promise.all(users.map((user) => client.send(user, 'urgent', { if_busy: 'interrupt' })));
    for (const [index, user] of users.entries()) {
      while ((await message(client, user, urgent[index] ?? ''))['queue_position'] !== 1);
    }
    t.is(worker.open, 1);
    worker.hurry();
    for (const [index, user] of users.entries()) {
      t.like(theEnd(await client.all(user, urgent[index] ?? '')), { event: 'done' });
    }
    t.is(worker.maxOpen, 1);
  });

  test(`${kind}: if_busy reject and interrupt`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const first = await running(client, 'u');
    const second = await client.send('u', 'second');
    t.like(await client.post(aBody('u', 'no', { if_busy: 'reject' })), { status: 409, body: { code: 'busy' } });
    t.like((await client.get('/api/v1/queue/u')).body, { queue_length: 1 });
    const urgent = await client.send('u', 'urgent', { if_busy: 'interrupt' });
    t.like(theEnd(await client.all('u', urgent)), { event: 'done' });
    for (const id of [first, second])
      t.like(theEnd(await client.all('u', id)), { event: 'error', status: 'cancelled' });
    t.deepEqual(
      worker.calls.map((call) => call.idempotencyKey),
      [first, urgent],
    );
    const polite = await client.send('u', 'yes', { if_busy: 'reject' });
    t.like(theEnd(await client.all('u', polite)), { event: 'done' });
    t.like(await client.post(aBody('u', 'x', { if_busy: 'maybe' })), { status: 422 });
  });

  test(`${kind}: dead letters are listed newest first, in pages, and can be retried`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const ids: string[] = [];
    for (const user of ['a', 'b', 'c']) {
      const id = await client.send(user, '[[status=500 failtimes=1 text="at last"]]');
      t.deepEqual(idsOf(await client.all(user, id)), ['1', '2', '3']);
      ids.unshift(id);
    }
    await client.all('ok', await client.send('ok', 'fine'));
    const first = (await client.get('/api/v1/dead-letters?limit=2')).body;
    t.like(first['dead_letters'], [
      { message_id: ids[0], user_id: 'c', attempts: 1, code: 'worker_error' },
      { message_id: ids[1] },
    ]);
    const cursor = encodeURIComponent(String(first['next_cursor']));
    const rest = (await client.get(`/api/v1/dead-letters?limit=2&cursor=${cursor}`)).body;
    t.like(rest, { dead_letters: [{ message_id: ids[2], user_id: 'a' }], next_cursor: null });
    t.like(await client.get('/api/v1/dead-letters?limit=0'), { status: 422 });
    t.like(await client.get('/api/v1/dead-letters?cursor=x'), { status: 422 });

    const id = ids[2] ?? '';
    const retry = () => client.request('POST', `${messagePath('a', id)}/retry`);
    const retried = await retry();
    t.like(retried, { status: 202, body: { status: 'queued', message_id: id, queue_position: 1 } });
    const events = await client.all('a', id);
    t.like(theEnd(events), { event: 'done', message_id: id });
    const all = events.map((_, index) => String(index + 4));
    t.deepEqual(idsOf(events), all, 'its log begins anew and counts on');
    for (const [after, rest] of [
      ['2', all],
      ['3', all],
      ['5', all.slice(2)],
    ] as const) {
      const resumed: StreamEvent[] = [];
      for await (const event of client.stream('a', id, after)) resumed.push(event);
      t.deepEqual(idsOf(resumed), rest, `resumed from ${after}`);
    }
    t.like(await message(client, 'a', id), { status: 'completed', attempts: 1, result: { responses: ['at last'] } });
    t.like(await retry(), { status: 409, body: { code: 'not_failed' } });
    t.is(worker.calls.filter((call) => call.idempotencyKey === id).length, 2);
    t.like(await client.request('POST', `${messagePath('a', 'unknown')}/retry`), { status: 404 });
    t.deepEqual(((await client.get('/api/v1/dead-letters')).body['dead_letters'] as unknown[]).length, 2);
  });

  test(`${kind}: the speakers of a group chat share one queue, each thread has its own`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const group = { chat_type: 'supergroup', chat_id: -100123 };
    const posted = await client.post(aBody('ruth', HOLD, group));
    t.is(posted.status, 202);
    const queue = 'group:unfoldingWord:-100123';
    t.is(new URL(String(posted.body['stream_url']), client.url).searchParams.get('user_id'), queue);
    t.like((await client.post(aBody('boaz', 'second', group))).body, { queue_position: 1 });
    await worker.waitForCalls(1);
    const thread = (await client.post(aBody('naomi', 'in a thread', { ...group, thread_id: '7' }))).body;
    const own = await client.send('ruth', 'in private');
    t.like(theEnd(await client.all(`${queue}:7`, String(thread['message_id']))), { event: 'done' });
    t.like(theEnd(await client.all('ruth', own)), { event: 'done' });
    t.like((await client.get(`/api/v1/queue/${encodeURIComponent(queue)}`)).body, {
      user_id: queue,
      queue_length: 1,
      current_message_id: posted.body['message_id'],
    });
    worker.hurry();
    await worker.waitForCalls(4);
    t.deepEqual(
      worker.calls.filter((call) => call.queue === queue).map((call) => [call.user_id, call.body['chat_id']]),
      [
        ['ruth', -100123],
        ['boaz', -100123],
      ],
    );
    t.deepEqual(worker.overlaps(), []);
    const incomplete = await client.post(aBody('ruth', 'where?', { chat_type: 'group' }));
    t.like(incomplete, { status: 422, body: { errors: [{ path: 'chat_id' }] } });
  });

  test(`${kind}: a message that waits for too long expires`, async (t) => {
    const { client, worker } = await aSystem(t, kind, { env: { MESSAGE_TTL_SECONDS: '3' } });
    await running(client, 'u');
    const late = await client.send('u', 'late');
    t.like(theEnd(await client.all('u', late)), { event: 'error', status: 'expired', code: 'expired' });
    t.like(await message(client, 'u', late), { status: 'expired', started_at: null });
    worker.hurry();
    t.is(worker.calls.length, 1);
  });

  test(`${kind}: a full queue and a full store each say so, with Retry-After, and take nothing`, async (t) => {
    const env = { MAX_QUEUE_LENGTH: '2', MAX_WAITING_MESSAGES: '3' };
    const { client } = await aSystem(t, kind, { env });
    await running(client, 'u');
    await client.send('u', 'a');
    await client.send('u', 'b');
    const full = await client.post(aBody('u', 'c'));
    t.like(full, { status: 429, body: { code: 'queue_full' } });
    t.truthy(full.headers.get('retry-after'));
    await running(client, 'v');
    await client.send('v', 'a');
    const store = await client.post(aBody('w', 'no room'));
    t.like(store, { status: 503, body: { code: 'store_full' } });
    t.truthy(store.headers.get('retry-after'));
    t.like((await client.get('/api/v1/queue/w')).body, { queue_length: 0, is_processing: false });
    t.like(await client.post(aBody('w', 'interrupts nobody', { if_busy: 'interrupt' })), { status: 503 });
    t.like(await client.post(aBody('v', 'makes room', { if_busy: 'interrupt' })), { status: 202 });
    await client.request('DELETE', '/api/v1/queue/u');
    while ((await client.post(aBody('w', 'room again'))).status !== 202);
  });
}

test('through any broker: posted to one, streamed from another, worked on by a third, cancelled through a fourth', async (t) => {
  const worker = await aWorker(t);
  const store = await aStore(t, 'redis');
  const env = { ...store, WORKER_BASE_URL: worker.url };
  // Whoever is told of a message first works on it.
  const one = await aBroker(t, env);
  const [two, three] = [await aBroker(t, env), await aBroker(t, env)];
  const id = await running(one.client, 'u');
  const waiting = await one.client.send('u', 'waiting');
  const streamed = two.client.all('u', id);
  t.like(await cancel(three.client, 'u', id), { status: 200, body: { status: 'cancelled' } });
  t.like(theEnd(await streamed), { event: 'error', status: 'cancelled' });
  t.like(theEnd(await three.client.all('u', waiting)), { event: 'done' });
  t.like(await message(two.client, 'u', waiting), { status: 'completed' });
});
