import test from 'ava';
import { STORES } from '../helpers/broker.ts';
import { isSound } from './trial.ts';

for (const store of STORES) {
  const brokers = store === 'redis' ? 2 : 1;

  test.serial(`${store}: the worker is down for a while`, async (t) => {
    await isSound(t, 41, { store, brokers, worker: 'well', faults: ['the worker is down'] });
  });

  test.serial(`${store}: the worker dies in the middle of its work, and is back at once`, async (t) => {
    await isSound(t, 42, { store, brokers, worker: 'well', faults: ['the worker dies'] });
  });

  test.serial(`${store}: the worker answers rubbish, breaks off, hangs, and is too busy`, async (t) => {
    const { messages } = await isSound(t, 43, { store, brokers, worker: 'ill', faults: [] });
    t.deepEqual([...new Set(messages.map(({ status }) => status))].toSorted(), ['completed', 'failed']);
  });
}

test.serial('the worker is down for 10 s', async (t) => {
  await isSound(t, 44, { store: 'redis', brokers: 2, worker: 'well', faults: ['the worker is down for long'] });
});
