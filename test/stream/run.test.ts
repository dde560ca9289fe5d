import test from 'ava';
import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import type { LogEvent } from '../../src/store/store.ts';
import { dataOf, encode, type Run } from '../../src/stream/run.ts';

const aText = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => text.toWellFormed().replaceAll('\r', '')),
  fc.constantFrom(
    '',
    '\n',
    '\n\n',
    'a\nb',
    'data: x',
    '\nid: 3\ndata: y\n\n',
    'event: done\ndata: {}\n\n',
    'a\u2028b\u0085c',
  ),
  fc.nat({ max: 40_000 }).map((length) => 'é'.repeat(length)),
);
const someEvents: fc.Arbitrary<LogEvent[]> = fc.array(
  fc.record({ name: fc.constantFrom('', '', '', 'retrying'), data: aText }),
  { maxLength: 30 },
);

const framesOf = (runs: readonly Run[]) =>
  runs.flatMap((run) => Array.from(run.frames(), (frame) => ({ id: frame.id, name: frame.name, data: dataOf(frame) })));

test('a run tells its events one by one as they are read by a client, also from its middle', (t) => {
  fc.assert(
    fc.property(someEvents, fc.nat({ max: 20_000 }), fc.nat(), (events, before, place) => {
      const all = events.map(({ name, data }, index) => ({ id: before + 1 + index, name, data }));
      const runs = encode(events, before);
      t.deepEqual(framesOf(runs), all);
      t.is(
        runs.reduce((sum, { count }) => sum + count, 0),
        events.length,
      );

      const read: unknown[] = [];
      const parser = createParser({
        onEvent: ({ id, event = '', data }) => read.push({ id: Number(id), name: event, data }),
      });
      parser.feed(Buffer.concat(runs.map(({ bytes }) => bytes)).toString());
      t.deepEqual(read, all);

      const after = before + (place % (events.length + 1));
      const [first, ...others] = runs.filter(({ last }) => last > after);
      t.deepEqual(framesOf(first ? [first.after(after), ...others] : []), all.slice(after - before));
    }),
  );
});

test('runs are no larger than a slice but for large events, and the last event of a message ends one', (t) => {
  const of = (length: number, name = '') => ({ name, data: 'x'.repeat(length) });
  const runs = encode([...Array.from({ length: 1000 }, () => of(50)), of(100_000), of(50), of(50, 'error'), of(50)], 0);
  t.deepEqual(runs.map(({ last, ends }) => [last, ends]).slice(-4), [
    [1000, false],
    [1001, false],
    [1003, true],
    [1004, false],
  ]);
  for (const { count, bytes } of runs) t.true(count === 1 || bytes.length <= 32_768);
  t.true(runs.length < 10);
});
