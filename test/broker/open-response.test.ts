import test from 'ava';
import { aBroker, aStore, STORES } from '../helpers/broker.ts';
import { theEnd } from '../helpers/client.ts';
import { aScriptedWorker, COMPLETE } from '../helpers/scripted-worker.ts';

/** Long enough for a broker that does not wait to have made its next call. */
const LOOKS = 20;

for (const kind of STORES) {
  test(`${kind}: a response left open after its last event keeps its slot and its queue until it ends (G5)`, async (t) => {
    const worker = await aScriptedWorker(t);
    const { client } = await aBroker(t, {
      ...(await aStore(t, kind)),
      WORKER_BASE_URL: worker.url,
      WORKER_CONCURRENCY: '1',
    });
    const first = await client.send('u', 'first');
    const call = await worker.call(1);
    call.say({ type: 'status', message: 'Working…' }, COMPLETE);
    // The listeners have the last event at once, the end only with the end of the response.
    const listener = client.stream('u', first);
    for await (const { data } of listener) if (data.includes('"complete"')) break;

    const [next, other] = [await client.send('u', 'next'), await client.send('v', 'other')];
    for (let look = 0; look < LOOKS; look += 1) {
      t.like((await client.get('/api/v1/queue/u')).body, { current_message_id: first, state: 'streaming' });
      t.like((await client.get('/health')).body, { messages_processing: 1, messages_waiting: 2 });
    }
    t.is(worker.calls.length, 1);

    call.end();
    t.like(theEnd(await client.all('u', first)), { event: 'done', status: 'completed' });
    // The other user comes first: the slot is passed on after each message.
    for (const [index, user] of ['v', 'u'].entries()) {
      const following = await worker.call(2 + index);
      t.is(following.userId, user);
      following.say(COMPLETE);
      following.end();
    }
    t.like(theEnd(await client.all('v', other)), { event: 'done' });
    t.like(theEnd(await client.all('u', next)), { event: 'done' });
  });
}
