import { setImmediate as nextTick } from 'node:timers/promises';
import test from 'ava';
import { Slots } from '../../src/actors/slots.ts';

const { signal } = new AbortController();

/** Who of these holds a slot, once all have been served that can be. */
async function holding(slots: Slots, ...queues: readonly string[]): Promise<readonly string[]> {
  await nextTick();
  return queues.filter((queue) => slots.holds(queue));
}

function ask(slots: Slots, ...queues: readonly string[]): void {
  for (const queue of queues) void slots.acquire(queue, signal);
}

test('while calls are stopped nobody gets a slot, and who has one keeps it', async (t) => {
  const slots = new Slots(2);
  ask(slots, 'a');
  slots.allow(0);
  ask(slots, 'b');
  t.false(slots.open);
  t.deepEqual(await holding(slots, 'a', 'b'), ['a']);
  slots.allow(2);
  t.deepEqual(await holding(slots, 'a', 'b'), ['a', 'b']);
});

test('a call from before a stop makes no room for more new ones than are allowed', async (t) => {
  const slots = new Slots(10);
  ask(slots, 'old', 'older');
  slots.allow(0);
  ask(slots, 'a', 'b', 'c', 'd');
  slots.allow(1);
  t.deepEqual(await holding(slots, 'a', 'b', 'c', 'd'), ['a']);
  slots.free('old');
  slots.free('older');
  t.deepEqual(await holding(slots, 'a', 'b', 'c', 'd'), ['a']);
  slots.free('a');
  t.deepEqual(await holding(slots, 'b', 'c', 'd'), ['b']);
  slots.allow(2);
  t.deepEqual(await holding(slots, 'b', 'c', 'd'), ['b', 'c']);
  slots.allow(10);
  t.deepEqual(await holding(slots, 'b', 'c', 'd'), ['b', 'c', 'd']);
});
