import test from 'ava';
import { aSystem, STORES } from '../helpers/broker.ts';
import { aBody, theEnd } from '../helpers/client.ts';

for (const kind of STORES) {
  test(`${kind}: fifty copies of one client_message_id at once yield one id and one worker call`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    const body = aBody('u', 'hello', { client_message_id: 'c-1' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => client.post(body)));
    const ids = new Set(answers.map((answer) => answer.body['message_id']));
    t.is(ids.size, 1);
    t.is(answers.filter(({ status }) => status === 202).length, 1);
    t.is(answers.filter((answer) => answer.status === 200 && answer.body['duplicate'] === true).length, 49);
    const [id] = ids;
    t.like(theEnd(await client.all('u', String(id))), { status: 'completed' });

    const later = await client.post(body);
    t.like(later, { status: 200, body: { message_id: id, status: 'completed', duplicate: true } });
    const other = await client.send('u', 'other');
    await client.all('u', other);
    t.is(worker.calls.length, 2);
  });

  test(`${kind}: an Idempotency-Key is accepted once; other users and clients have their own`, async (t) => {
    const { client } = await aSystem(t, kind);
    const key = { 'idempotency-key': 'k-1' };
    const first = await client.post(aBody('u', 'hello'), key);
    t.is(first.status, 202);
    const second = await client.post(aBody('u', 'hello'), key);
    t.like(second, { status: 200, body: { message_id: first.body['message_id'], duplicate: true } });
    t.is((await client.post(aBody('v', 'hello'), key)).status, 202);
    const named = { client_message_id: 'same' };
    t.is((await client.post(aBody('u', 'hello', named))).status, 202);
    t.is((await client.post(aBody('v', 'hello', named))).status, 202);
    t.is((await client.post(aBody('u', 'hello', { ...named, client_id: 'telegram' }))).status, 202);
  });

  test(`${kind}: a full queue is a clear no, and takes again when it has room`, async (t) => {
    const { client, worker } = await aSystem(t, kind, { env: { MAX_QUEUE_LENGTH: '2' } });
    await client.streaming('u', await client.send('u', '[[text="hold" ttft=60000]]'));
    const waiting = [await client.send('u', 'one'), await client.send('u', 'two')];
    const refused = await client.post(aBody('u', 'three', { client_message_id: 'c' }));
    t.like(refused, { status: 429, body: { code: 'queue_full' } });
    t.truthy(refused.headers.get('retry-after'));
    await worker.stop();
    await worker.start();
    for (const id of waiting) t.like(theEnd(await client.all('u', id)), { status: 'completed' });
    t.is((await client.post(aBody('u', 'three', { client_message_id: 'c' }))).status, 202);
  });
}
