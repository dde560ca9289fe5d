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
  slots.allow(0);
  t.true(slots.stopped.aborted);
  ask('b', 'a');
  t.false(slots.open);
  t.deepEqual(await served(), ['a', 'a']);
  slots.allow(2);
  t.false(slots.stopped.aborted);
  t.deepEqual(await served(), ['b']);
  t.true(slots.keep('b'));
  t.false(slots.keep('a'), 'it is from before the stop');
});

test('a call from before a stop makes no room for more new ones than are allowed', async (t) => {
  const { slots, ask, served } = someSlots(10);
  ask('old', 'older');
  slots.allow(0);
  ask('a', 'b', 'c', 'd');
  slots.allow(1);
  t.deepEqual(await served(), ['old', 'older', 'a']);
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

test('a slot whose call has ended is kept for the next of its queue, unless somebody waits or calls are stopped', async (t) => {
  const { slots, ask, served } = someSlots(1);
  ask('a');
  t.deepEqual(await served(), ['a']);
  t.is(slots.held, 1);
  t.true(slots.keep('a'));
  t.is(slots.held, 0);
  t.is(slots.free, 0);
  t.true(slots.take('a'));
  t.is(slots.held, 1);
  ask('b');
  t.deepEqual(await served(), []);
  t.false(slots.keep('a'), 'somebody waits');
  t.deepEqual(await served(), ['b']);
  t.true(slots.keep('b'));
  slots.allow(0);
  t.false(slots.take('b'), 'no calls are made');
  slots.allow(1);
  t.is(slots.free, 1);
});

test('a slot that is held for what the store is asked for goes to another only after a while', async (t) => {
  const { slots } = someSlots(2);
  slots.reserve('a');
  slots.reserve('b');
  t.is(slots.free, 0);
  t.is(slots.held, 0);
  const waits = slots.acquire('c', signal);
  t.true(slots.take('a'));
  t.is(slots.held, 1);
  await waits;
  t.false(slots.take('b'), 'it had to wait for too long');
  t.is(slots.held, 2);
  slots.release('a');
  t.true(slots.take('b'));
});
