import test from 'ava';
import { pino } from 'pino';
import { Sweeper } from '../../src/actors/sweeper.ts';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { aDirectory } from '../helpers/broker.ts';
import { aQueue, filled, settingsOf } from '../store/contract/kit.ts';

test('the store is not said to answer before it has, and that it does is nothing to log', async (t) => {
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  t.teardown(() => store.close());
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const sweeper = new Sweeper({ store, log, hint: () => {}, deliver: () => {}, capacity: 1, room: () => 1 });
  t.is(sweeper.state, 'away');
  t.is(sweeper.illSince, sweeper.since);
  t.is(sweeper.last, undefined);
  await sweeper.sweep();
  t.is(sweeper.state, 'whole');
  t.is(sweeper.illSince, undefined);
  t.deepEqual(lines, []);
});

test('a store that has never answered is told of once', async (t) => {
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  await store.close();
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const sweeper = new Sweeper({ store, log, hint: () => {}, deliver: () => {}, capacity: 1, room: () => 1 });
  for (let look = 0; look < 3; look += 1) await t.throwsAsync(sweeper.sweep());
  t.is(lines.length, 1);
  t.regex(lines[0] ?? '', /the store does not answer/);
});

test('a sweeper that drains hints at nothing, and knows what waits', async (t) => {
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  t.teardown(() => store.close());
  const hinted: string[] = [];
  const hint = (queue: string) => void hinted.push(queue);
  const log = pino({ level: 'silent' });
  const sweeper = new Sweeper({ store, log, hint, deliver: () => {}, capacity: 1, room: () => 1 });
  const queue = aQueue();
  await filled(store, queue, 1);
  await sweeper.sweep();
  t.deepEqual(hinted, [queue]);
  sweeper.drain();
  await filled(store, queue, 1);
  t.deepEqual((await sweeper.sweep()).due, []);
  t.is(sweeper.last?.counts.waiting, 2);
  t.deepEqual(hinted, [queue]);
});

test('a message that is accepted while the sweeper looks is not forgotten', async (t) => {
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  t.teardown(() => store.close());
  const log = pino({ level: 'silent' });
  const sweeper = new Sweeper({ store, log, hint: () => {}, deliver: () => {}, capacity: 1, room: () => 1 });
  const looking = sweeper.sweep();
  sweeper.accepted();
  await looking;
  t.is(sweeper.waiting, 1);
  await sweeper.sweep();
  t.is(sweeper.waiting, 0);
});
