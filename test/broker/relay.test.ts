import test from 'ava';
import { aSystem, STORES } from '../helpers/broker.ts';
import { theEnd, workerData } from '../helpers/client.ts';

const TEXTS = {
  'multi-byte characters cut between chunks': 'Ἐν ἀρχῇ ἦν ὁ λόγος — 太初有道 — בְּרֵאשִׁית 📖🕊️',
  'U+2028 and U+0085': 'a\u2028b\u2029c\u0085d\u00a0e\ufefff',
  'line ends within JSON': 'a\nb\r\nc\td\\"e"',
};

for (const kind of STORES) {
  for (const [name, text] of Object.entries(TEXTS)) {
    test(`${kind}: relays byte for byte: ${name}`, async (t) => {
      const { client, worker } = await aSystem(t, kind, { worker: { seed: 3 } });
      worker.respond = () => ({ text, cut: 1 });
      const events = await client.all('u', await client.send('u', 'hello'));
      t.deepEqual(workerData(events), worker.calls[0]?.sentData);
      t.true(workerData(events).at(-1)?.includes(JSON.stringify(text)));
      t.like(theEnd(events), { event: 'done' });
    });
  }

  for (const data of ['', '""', '{"type":"progress","text":""}', ' {"type":"progress"} ', '{"type":"new kind"}']) {
    test(`${kind}: relays byte for byte: an event that is ${JSON.stringify(data)}`, async (t) => {
      const { client, worker } = await aSystem(t, kind);
      worker.respond = () => ({ raw: data });
      const events = await client.all('u', await client.send('u', 'hello'));
      t.deepEqual(workerData(events), worker.calls[0]?.sentData);
      t.true(workerData(events).includes(data));
    });
  }

  test(`${kind}: relays events of 1 MB, and a worker that ends its lines with CRLF`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    worker.respond = () => ({ events: 3, size: 1_000_000, crlf: true });
    const events = await client.all('u', await client.send('u', 'hello'));
    t.deepEqual(workerData(events), worker.calls[0]?.sentData);
    t.true(workerData(events).some((data) => data.length >= 1_000_000));
  });

  test.serial(`${kind}: a log of 30 MB is read to its end, during and after, and holds up nobody`, async (t) => {
    const { client, worker } = await aSystem(t, kind);
    worker.respond = (call) => (call.user_id === 'u' ? { events: 30, size: 1_000_000 } : undefined);
    const id = await client.send('u', 'hello');
    const [during, other] = await Promise.all([client.all('u', id), client.send('v', 'hello')]);
    t.like(theEnd(await client.all('v', other)), { event: 'done' });
    for (const events of [during, await client.all('u', id)]) {
      t.like(theEnd(events), { event: 'done' });
      t.true(
        workerData(events).every(
          (data, index) => data === worker.calls.find((call) => call.user_id === 'u')?.sentData[index],
        ),
      );
      t.true(workerData(events).length > 30);
    }
  });

  test(`${kind}: keepalives reach the open listeners and are not stored`, async (t) => {
    const { client } = await aSystem(t, kind, { worker: { keepaliveMs: 30 } });
    const open = client.sendAndStream('u', '[[text="slow" ttft=400]]');
    const seen = await Array.fromAsync(open);
    const kept = seen.filter(({ data }) => data === '{"type":"keepalive"}');
    t.true(kept.length > 0);
    t.true(kept.every(({ id }) => id === undefined || id === ''));
    const messageId = String(theEnd(seen)['message_id']);
    t.deepEqual(
      (await client.all('u', messageId)).filter(({ data }) => data.includes('keepalive')),
      [],
    );
  });
}
