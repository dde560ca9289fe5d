import test from 'ava';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { encode } from '../../src/stream/run.ts';
import type { WorkerCall } from '../../src/worker/call.ts';
import { aCaller, aMessageOf } from '../helpers/caller.ts';
import { aScriptedWorker } from '../helpers/scripted-worker.ts';

/** What a worker may say in one event: any text, of one line or several. */
const aText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom(
    '',
    ' ',
    ':',
    'data: x',
    '\u2028',
    '\u0085',
    '\ufeff',
    '{"type":"keepalive"}',
    '👩🏽‍🚀',
    'a\nb',
    '\n\n',
  ),
);
const lineEnds = fc.constantFrom('\n', '\r\n');

/** The worker's frames as bytes, cut anywhere. */
function cut(bytes: Uint8Array, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].map((from, index) => Buffer.from(bytes.subarray(from, at[index] ?? bytes.length)));
}

test('whatever the worker says and wherever its bytes are cut, a listener reads the same texts', async (t) => {
  const script = await aScriptedWorker(t);
  const worker = aCaller(t, script.url);
  await fc.assert(
    fc.asyncProperty(
      // A carriage return within a line would end it: no event can hold one.
      fc.array(aText.map((text) => text.toWellFormed().replaceAll('\r', ''))),
      lineEnds,
      fc.array(fc.nat(), { maxLength: 50 }),
      async (texts, end, places) => {
        const wire = texts.map((text) => `data: ${text.replaceAll('\n', `${end}data: `)}${end}${end}`).join('');
        const call = worker.call(aMessageOf('u'));
        const { response } = await script.call(script.calls.length + 1);
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        for (const chunk of cut(Buffer.from(wire), places)) response.write(chunk);
        response.end();
        const read = await allOf(call);
        t.deepEqual(read, texts);

        const relayed: string[] = [];
        const ids: (string | undefined)[] = [];
        const parser = createParser({
          onEvent: ({ data, id }) => {
            relayed.push(data);
            ids.push(id);
          },
        });
        const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
        const frames = Buffer.concat(
          encode(
            read.map((data) => ({ name: '', data })),
            0,
          ).map(({ bytes }) => bytes),
        );
        for (const chunk of cut(frames, places)) parser.feed(decoder.decode(chunk, { stream: true }));
        t.deepEqual(relayed, texts);
        t.deepEqual(
          ids,
          texts.map((_, index) => `${index + 1}`),
        );
      },
    ),
  );
});

async function allOf(call: WorkerCall): Promise<string[]> {
  const read: string[] = [];
  for (let events = await call.read(); events; events = await call.read()) read.push(...events.map(({ data }) => data));
  call.close();
  return read;
}
