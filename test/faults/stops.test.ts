import test from 'ava';
import { STORES } from '../helpers/broker.ts';
import { check } from './checker.ts';
import { runThroughStops } from './stops.ts';

for (const store of STORES) {
  for (const when of ['before', 'after'] as const) {
    test.serial(`${store}: a broker killed ${when} any of the calls it makes of its store loses nothing`, async (t) => {
      t.timeout(180_000);
      const history = await runThroughStops(store, when);
      t.deepEqual(check(history), []);
      t.deepEqual(new Set(history.messages.map(({ status }) => status)), new Set(['completed', 'cancelled']));
    });
  }
}
