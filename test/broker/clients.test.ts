import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { EventSource } from 'eventsource';
import { aSystem, STORES } from '../helpers/broker.ts';
import { aBody } from '../helpers/client.ts';

for (const kind of STORES) {
  test(`${kind}: the eventsource package reads a stream, and stops after its end`, async (t) => {
    const { client, url, worker } = await aSystem(t, kind);
    const id = await client.send('u', '[[text="one two three" chunk=10]]');
    const source = new EventSource(`${url}/api/v1/stream?user_id=u&message_id=${id}`);
    t.teardown(() => source.close());
    const seen: string[] = [];
    const ended = new Promise<void>((resolve) => {
      source.addEventListener('done', ({ data }) => {
        t.like(JSON.parse(data), { message_id: id, status: 'completed' });
        resolve();
      });
    });
    source.addEventListener('message', ({ data }) => seen.push(data));
    await ended;
    t.deepEqual(seen, worker.calls[0]?.sentData);
    // It reconnects with Last-Event-ID, is told 204 and closes for good.
    await new Promise<void>((resolve) => {
      const closed = () => source.readyState === EventSource.CLOSED && resolve();
      source.addEventListener('error', closed);
      closed();
    });
    t.is(source.readyState, EventSource.CLOSED);
  });

  test(`${kind}: curl -N reads the stream in one step`, async (t) => {
    const { url } = await aSystem(t, kind);
    const curl = spawn('curl', [
      '-sS',
      '-N',
      '-H',
      'Content-Type: application/json',
      '-H',
      'Accept: text/event-stream',
      '-d',
      JSON.stringify(aBody('u', '[[text="one two three"]]')),
      `${url}/api/v1/message`,
    ]);
    const output = await text(curl.stdout);
    t.regex(output, /^retry: 1000\n\nid: 1\nevent: queued\n/);
    t.regex(output, /\nid: 3\ndata: \{"type":"status"/);
    t.regex(output, /\nevent: done\ndata: \{[^\n]+"status":"completed"\}\n\n$/);
  });
}
