import test from 'ava';
import { aSystem, STORES } from '../helpers/broker.ts';
import { sitOut } from './outage.ts';

// As long and as many as OUTAGE says (seconds,messages): `OUTAGE=60,500 npm test -- test/faults/outage.test.ts`.
const [seconds = 4, messages = 100] = (process.env['OUTAGE'] ?? '4,100').split(',').map(Number);

for (const kind of STORES) {
  test.serial(
    `${kind}: an outage of the worker of ${seconds} s with ${messages} messages meanwhile: all complete, none fails`,
    async (t) => {
      t.timeout(seconds * 1000 + 120_000);
      const { client, worker } = await aSystem(t, kind);
      const ends = await sitOut({ seconds, messages }, client, worker);
      t.is(ends.length, messages);
      t.deepEqual([...new Set(ends)], ['completed']);
      t.deepEqual(worker.overlaps(), []);
    },
  );
}
