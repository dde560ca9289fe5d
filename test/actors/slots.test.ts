import { setImmediate as nextTick } from 'node:timers/promises';
import test from 'ava';
import { Slots } from '../../src/actors/slots.ts';

const { signal } = new AbortController();

/** Slots, and who has been given one so far. */
function someSlots(concurrency: number) {
  const slots = new Slots(concurrency);
  const given: string[] = [];
  const ask = (...queues: readonly string[]) => {
    for (const queue of queues) void slots.acquire(queue, signal).then(() => given.push(queue));
  };
  const served = async () => {
    await nextTick();
    return given.splice(0);
  };
  return { slots, ask, served };
}

test('while calls are stopped nobody gets a slot, and who has one keeps it', async (t) => {
  const { slots, ask, served } = someSlots(2);
  ask('a');
  t.true(slots.passesOn('a'));
  slots.allow(0);
  t.true(slots.stopped.aborted);
  ask('b', 'a');
  t.false(slots.open);
  t.false(slots.passesOn('a'));
  t.deepEqual(await served(), ['a', 'a']);
  slots.allow(2);
  t.false(slots.stopped.aborted);
  t.deepEqual(await served(), ['b']);
});

test('a call from before a stop makes no room for more new ones than are allowed', async (t) => {
  const { slots, ask, served } = someSlots(10);
  ask('old', 'older');
  slots.allow(0);
  ask('a', 'b', 'c', 'd');
  slots.allow(1);
  t.deepEqual(await served(), ['old', 'older', 'a']);
  t.false(slots.passesOn('old'));
  slots.release('old');
  slots.release('older');
  t.deepEqual(await served(), []);
  slots.release('a');
  t.deepEqual(await served(), ['b']);
  slots.allow(2);
  t.deepEqual(await served(), ['c']);
  slots.allow(10);
  t.deepEqual(await served(), ['d']);
});

test('who has left before asking gets no slot', async (t) => {
  const { slots, ask, served } = someSlots(1);
  slots.allow(0);
  await t.throwsAsync(slots.acquire('gone', AbortSignal.any([signal, AbortSignal.abort(new Error('left'))])), {
    message: 'left',
  });
  ask('a');
  slots.allow(1);
  t.deepEqual(await served(), ['a']);
});
