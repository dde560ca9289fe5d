import { isDeepStrictEqual } from 'node:util';
import test from 'ava';
import { createParser } from 'eventsource-parser';
import { Redis } from 'ioredis';
import { aBroker, aStore, aSystem, STORES } from '../helpers/broker.ts';
import { aBody, type StreamEvent, theEnd, workerData } from '../helpers/client.ts';
import { fetchDocumented } from '../helpers/openapi.ts';
import { aScriptedWorker, COMPLETE } from '../helpers/scripted-worker.ts';

/** More events, in all and since a listener's last one, than a broker keeps at hand. */
const BATCHES = 6;
const BATCH_EVENTS = 1000;
const FILLER = 'In the beginning was the Word. '.repeat(20);

for (const kind of STORES) {
  test(`${kind}: a listener gets the same sequence before, during and after the work, alone or beside others`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    await client.streaming('u', await client.send('u', '[[text="first" stall=1]]'));
    const id = await client.send('u', '[[text="In the beginning was the Word" chunk=20]]');

    const before = client.all('u', id);
    const beside = client.all('u', id);
    const left = client.stream('u', id);
    t.is((await left.next()).value?.event, 'queued');
    await left.return();
    // Ends the first one's stalled call, so that the second is worked on.
    await worker.stop();
    await worker.start();
    await worker.onCall((call) => call.idempotencyKey === id);
    const during = client.all('u', id);

    const events = await before;
    t.deepEqual(
      await during,
      events.filter(({ id: number }) => number !== undefined),
    );
    t.deepEqual(
      (await beside).filter(({ id: number }) => number),
      events.filter(({ id: number }) => number),
    );
    const after = await client.all('u', id);
    t.deepEqual(
      after,
      events.filter(({ id: number }) => number !== undefined),
    );
    t.deepEqual(
      after.map(({ id: number }) => Number(number)),
      after.map((_, index) => index + 1),
    );
    t.deepEqual(
      after.slice(0, 2).map(({ event }) => event),
      ['queued', 'processing'],
    );
    t.deepEqual(workerData(after), worker.calls.find((call) => call.idempotencyKey === id)?.sentData);
    t.like(theEnd(after), { event: 'done', status: 'completed' });
  });

  test(`${kind}: a listener that leaves in the middle stops nothing and loses nothing`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const id = await client.send('u', '[[text="one two three four" chunk=20]]');
    const seen = [];
    for await (const event of client.stream('u', id)) {
      seen.push(event);
      if (seen.length === 4) break;
    }
    const rest = await client.all('u', id, '4');
    t.like(theEnd(rest), { event: 'done' });
    t.deepEqual([...seen, ...rest], await client.all('u', id));
    t.is(worker.calls.length, 1);
    t.false(worker.calls[0]?.clientGone);
  });

  test(`${kind}: a reconnect goes on exactly after Last-Event-ID, and after the last event gets 204`, async (t) => {
    const { client } = await aSystem(t, kind);
    const id = await client.send('u', '[[text="one two three four five six" events=6]]');
    const events = await client.all('u', id);
    for (let last = 1; last < events.length; last += 1) {
      t.deepEqual(await client.all('u', id, String(last)), events.slice(last), `after event ${last}`);
    }
    const query = new URLSearchParams({ user_id: 'u', message_id: id, last_event_id: String(events.length) });
    t.is((await client.get(`/api/v1/stream?${query}`)).status, 204);
    query.set('last_event_id', '2');
    t.deepEqual(await Array.fromAsync(client.events(`/api/v1/stream?${query}`, {})), events.slice(2));
    query.set('last_event_id', 'x');
    t.like(await client.get(`/api/v1/stream?${query}`), { status: 400, body: { code: 'invalid_last_event_id' } });
  });

  test(`${kind}: a reconnect while the message runs goes on after any id seen so far, also after the newest`, async (t) => {
    const worker = await aScriptedWorker(t);
    const { client, url } = await aBroker(t, { ...(await aStore(t, kind)), WORKER_BASE_URL: worker.url });
    const id = await client.send('u', 'hello');
    const call = await worker.call(1);
    const follower = client.stream('u', id);
    const listeners: { readonly after: number; readonly text: Promise<string> }[] = [];
    let tip = 0;
    for (const texts of [['a'], ['b', 'c'], ['d']]) {
      call.say(...texts.map((text) => ({ type: 'progress', text })));
      tip = texts.length + Math.max(tip, 2);
      while (((await follower.next()).value ?? nothing()).id !== `${tip}`);
      // Beyond the newest: as after a retry, which begins the log anew.
      for (const after of [...Array.from({ length: tip + 1 }, (_, n) => n), tip + 9]) {
        const response = await fetchDocumented(`${url}/api/v1/stream?user_id=u&message_id=${id}`, {
          headers: { 'last-event-id': `${after}` },
        });
        t.is(response.status, 200, `after event ${after} of ${tip}`);
        listeners.push({ after: Math.min(after, tip), text: response.text() });
      }
    }
    call.say(COMPLETE);
    call.end();
    const log = await client.all('u', id);
    t.like(theEnd(log), { event: 'done' });
    for (const { after, text } of listeners) t.deepEqual(parsed(await text), log.slice(after), `after event ${after}`);
    await follower.return();
  });

  test.serial(`${kind}: listeners far behind in a stream of many events get all of them`, async (t) => {
    const worker = await aScriptedWorker(t);
    const { client, url } = await aBroker(t, { ...(await aStore(t, kind)), WORKER_BASE_URL: worker.url });
    const id = await client.send('u', 'hello');
    const call = await worker.call(1);
    // Follows, and so keeps the newest events at hand here.
    const follower = client.stream('u', id);
    const followed: StreamEvent[] = [];
    // Takes nothing before the end.
    const asleep = await fetchDocumented(`${url}/api/v1/stream?user_id=u&message_id=${id}`);
    const late: Promise<StreamEvent[]>[] = [];
    const before: number[] = [];
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const numbers = Array.from({ length: BATCH_EVENTS }, (_, index) => batch * BATCH_EVENTS + index);
      call.say(...numbers.map((n) => ({ type: 'progress', text: `${n} ${FILLER}` })));
      const tip = 2 + (batch + 1) * BATCH_EVENTS;
      while (followed.length < tip) followed.push((await follower.next()).value ?? nothing());
      for (const after of [1, tip - 3000, tip - 2048, tip - 1024, tip - 1].filter((place) => place > 0)) {
        before.push(after);
        late.push(client.all('u', id, String(after)));
      }
    }
    call.say(COMPLETE);
    call.end();
    for await (const event of follower) followed.push(event);
    const log = await client.all('u', id);
    t.is(log.length, 2 + BATCHES * BATCH_EVENTS + 2);
    t.deepEqual(
      log.map((event) => event.id),
      log.map((_, index) => `${index + 1}`),
    );
    t.true(isDeepStrictEqual(followed, log), 'one that followed');
    t.true(isDeepStrictEqual(parsed(await asleep.text()), log), 'one that took nothing before the end');
    for (const [index, events] of (await Promise.all(late)).entries()) {
      const after = before[index] ?? 0;
      t.true(isDeepStrictEqual(events, log.slice(after)), `one that came after event ${after}`);
    }
  });

  test(`${kind}: a waiting listener is told its place as the queue moves up`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const hold = '[[text="hold" ttft=60000]]';
    await client.streaming('u', await client.send('u', hold));
    const second = await client.send('u', hold);
    const third = client.sendAndStream('u', 'third');
    t.deepEqual(place(await third.next()), { id: '1', place: 2 });
    await worker.stop();
    await worker.start();
    t.deepEqual(place(await third.next()), { id: '', place: 1 });
    await client.streaming('u', second);
    await worker.stop();
    await worker.start();
    t.like(theEnd(await Array.fromAsync(third)), { event: 'done' });
  });

  test(`${kind}: the POST answers with the stream itself when asked to`, async (t) => {
    const { client, url } = await aSystem(t, kind);
    const response = await fetchDocumented(`${url}/api/v1/message`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify(aBody('u', 'hello', { client_message_id: 'c1' })),
    });
    t.is(response.status, 200);
    t.regex(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    t.is(response.headers.get('cache-control'), 'no-cache, no-transform');
    t.is(response.headers.get('x-accel-buffering'), 'no');
    t.truthy(response.headers.get('x-request-id'));
    const text = await response.text();
    t.regex(text, /^retry: \d+\n/);
    t.regex(text, /event: done\n/);
    const again = await Array.fromAsync(client.sendAndStream('u', 'hello', { client_message_id: 'c1' }));
    t.like(theEnd(again), { event: 'done', status: 'completed' });
    t.is(again[0]?.id, '1');
  });

  test(`${kind}: an unknown message is 404 and takes nothing from anyone's queue`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    await client.send('u', '[[text="hold" ttft=60000]]');
    await worker.waitForCalls(1);
    const waiting = await client.send('u', 'waits');
    const unknown = '/api/v1/stream?user_id=u&message_id=0197b0a0-0000-7000-8000-000000000000';
    t.like(await client.get(unknown), { status: 404, body: { code: 'unknown_message' } });
    t.is((await client.get(`/api/v1/stream?user_id=someone-else&message_id=${waiting}`)).status, 404);
    const { body } = await client.get('/api/v1/queue/u');
    t.like(body, { queue_length: 1, is_processing: true });
  });
}

/** What a response that was read to its end says. */
function parsed(text: string): StreamEvent[] {
  const events: StreamEvent[] = [];
  createParser({ onEvent: ({ id, event, data }) => events.push({ id, event, data }) }).feed(text);
  return events;
}

function nothing(): never {
  throw new Error('the stream ended too early');
}

function place({ done, value }: IteratorResult<StreamEvent, unknown>) {
  return done ? undefined : { id: value.id ?? '', place: JSON.parse(value.data).queue_position };
}

test('a listener on another broker misses nothing when its subscription has to be made anew', async (t) => {
  const { client, worker, env } = await aSystem(t, 'redis');
  const other = await aBroker(t, env);
  const raw = new Redis(env['REDIS_URL'] ?? '');
  t.teardown(() => raw.disconnect());
  const id = await client.send('u', '[[text="one two three four" ttft=60000]]');
  const listener = other.client.stream('u', id);
  const seen = [];
  for await (const event of listener) {
    seen.push(event);
    if (event.event !== undefined) continue;
    // At the worker's first event: what follows is said while nobody listens there.
    if (worker.calls[0]?.finishedAt === undefined) {
      await raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      worker.hurry();
      await worker.until(() => worker.calls[0]?.finishedAt);
    }
  }
  t.like(theEnd(seen), { event: 'done' });
  t.deepEqual(seen, await client.all('u', id));
});
