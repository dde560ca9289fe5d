import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { Register } from '../src/register.ts';

test('it is a map: what is set last stands, a known key keeps its place, and what is taken is gone', (t) => {
  const register = new Register<string, number>();
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
  ] as const)
    register.set(key, value);
  t.deepEqual(
    [...register],
    [
      ['a', 3],
      ['b', 2],
    ],
  );
  t.deepEqual([register.size, register.get('b'), register.has('c'), register.get('c')], [2, 2, false, undefined]);
  t.is(register.take('a'), 3);
  t.is(register.take('a'), undefined);
  t.false(register.delete('a'));
  register.set('a', 4);
  t.deepEqual([...register.keys()], ['b', 'a']);
  t.deepEqual([...register.values()], [2, 4]);
  register.clear();
  t.is(register.size, 0);
});

test('what goes while all are gone through is not met, and the others are', (t) => {
  const register = new Register<string, number>();
  for (const [n, key] of ['a', 'b', 'c', 'd'].entries()) register.set(key, n);
  const met: string[] = [];
  for (const [key] of register) {
    met.push(key);
    register.delete('b');
    register.delete(key);
  }
  t.deepEqual(met, ['a', 'c', 'd']);
});

test('what it has let go of does not outlive the young generation, as it does in a Map', (t) => {
  setFlagsFromString('--expose-gc');
  const collect: (how?: { type: 'minor' }) => void = runInNewContext('gc');
  const LIVE = 8;
  const TURNS = 20;
  const KEYS = 500;

  /** Bytes that stay of each 2 kB that came and went. */
  const kept = (map: { set(key: string, value: object): unknown; delete(key: string): unknown }) => {
    for (let n = 0; n < LIVE; n += 1) map.set(`${n}`, []);
    // The table is old from here on.
    collect();
    const bytes: number[] = [];
    for (let turn = 0; turn < TURNS; turn += 1) {
      const before = process.memoryUsage().heapUsed;
      for (let n = 0; n < KEYS + LIVE; n += 1) {
        if (n < KEYS)
          map.set(
            `${turn} ${n}`,
            Array.from({ length: 250 }, (_, index) => index),
          );
        if (n >= LIVE) map.delete(`${turn} ${n - LIVE}`);
      }
      collect({ type: 'minor' });
      collect({ type: 'minor' });
      bytes.push((process.memoryUsage().heapUsed - before) / KEYS);
    }
    // One in which all was collected is no measure.
    return bytes.sort((a, b) => a - b)[TURNS / 2] ?? Number.NaN;
  };

  const inRegister = kept(new Register<string, object>());
  const inMap = kept(new Map<string, object>());
  t.true(
    inRegister < inMap / 4,
    `${inRegister} bytes, ${inMap} in a Map: where those are as few, there is no need for it`,
  );
});
