import test from 'ava';
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import { deliveryMachine } from '../../machines/delivery.ts';
import type { DeliveryClaim, DeliveryEvent, Posted, Tidings } from '../../machines/events.ts';
import { begin, done, failed, neverReached, neverTaken, place, reach, running, tell } from './paths.ts';

const CLAIM: DeliveryClaim = { queue: 'u', url: 'https://gateway.example/', messageId: 'm', token: 7 };
const DRAIN: DeliveryEvent = { type: 'drain' };
const ABORT: DeliveryEvent = { type: 'abort' };
const lost = (token: number): DeliveryEvent => ({ type: 'claim.lost', token });

const claimed = (claim: DeliveryClaim | undefined) => done(deliveryMachine, 'claim', claim);
const composed = (tidings: Tidings) => done(deliveryMachine, 'compose', tidings);
const posted = (result: Posted) => done(deliveryMachine, 'post', result);
const PROGRESS = composed({ type: 'progress', body: '{}' });
const END = composed({ type: 'end', body: '{}', id: 'm.5' });
const NOTHING = composed({ type: 'silent' });
const DELIVERED = posted({ type: 'delivered' });
const FAILED = posted({ type: 'failed', error: 'the endpoint answered 500', delayMs: 1000 });
const REFUSED = posted({ type: 'refused', error: 'the endpoint answered 410' });
const MORE = done(deliveryMachine, 'settle', true);
const EMPTY = done(deliveryMachine, 'settle', false);

/** Everything that can come of each effect. */
const RESULTS: Readonly<Record<string, readonly EventObject[]>> = {
  claim: [claimed(CLAIM), claimed(undefined)],
  compose: [PROGRESS, END, NOTHING],
  post: [DELIVERED, FAILED, REFUSED],
  settle: [MORE, EMPTY],
  putOff: [done(deliveryMachine, 'putOff')],
};

function possible(state: AnyMachineSnapshot): readonly EventObject[] {
  if (state.status !== 'active') return [];
  const ends = running(state).flatMap((effect) => [...(RESULTS[effect] ?? []), failed(deliveryMachine, effect)]);
  return [DRAIN, ABORT, lost(7), lost(8), ...ends];
}

const INPUT = { destination: 'd' };
const BEGUN = begin(deliveryMachine, INPUT);
const REACHED = reach(deliveryMachine, INPUT, possible);
const after = (...events: readonly EventObject[]) => tell(deliveryMachine, BEGUN, ...events).state;

test('every state can be reached, and every transition is taken', (t) => {
  t.deepEqual(neverReached(deliveryMachine, REACHED), []);
  t.deepEqual(neverTaken(deliveryMachine, REACHED, possible), []);
});

test('a callback is claimed, composed, posted and settled, and then the next one', (t) => {
  t.is(place(BEGUN), 'claiming');
  t.is(place(after(claimed(CLAIM))), 'composing');
  t.is(place(after(claimed(CLAIM), END)), 'posting');
  t.is(place(after(claimed(CLAIM), END, DELIVERED)), 'settling');
  t.is(place(after(claimed(CLAIM), END, DELIVERED, MORE)), 'claiming');
  t.is(after(claimed(CLAIM), END, DELIVERED, MORE).context.claim, undefined);
  t.is(after(claimed(CLAIM), END, DELIVERED, EMPTY).status, 'done');
});

test('with nothing to claim it goes', (t) => {
  t.is(after(claimed(undefined)).status, 'done');
});

test('progress is tried once, whatever comes of it, and the end follows', (t) => {
  for (const result of [DELIVERED, FAILED, REFUSED]) {
    const state = after(claimed(CLAIM), PROGRESS, result);
    t.is(place(state), 'composing');
    t.is(place(tell(deliveryMachine, state, NOTHING).state), 'settling');
    t.is(tell(deliveryMachine, state, NOTHING).state.context.posted, undefined);
  }
});

test('an end that failed is put off, one that is refused is settled', (t) => {
  t.is(place(after(claimed(CLAIM), END, FAILED)), 'puttingOff');
  t.like(after(claimed(CLAIM), END, REFUSED).context, { posted: { type: 'refused' } });
  t.is(place(after(claimed(CLAIM), END, REFUSED)), 'settling');
});

test('told to drain it finishes the attempt in hand, follows nothing more and claims nothing more', (t) => {
  t.is(place(after(claimed(CLAIM), DRAIN)), 'puttingOff');
  t.is(place(after(claimed(CLAIM), END, DRAIN)), 'posting');
  t.is(place(after(claimed(CLAIM), PROGRESS, DRAIN, DELIVERED)), 'puttingOff');
  t.is(after(claimed(CLAIM), END, DRAIN, DELIVERED, MORE).status, 'done');
});

test('told to abort it breaks the attempt in hand off and gives up the claim, and lets what is written be written', (t) => {
  t.is(after(ABORT).status, 'done');
  t.is(place(after(claimed(CLAIM), ABORT)), 'puttingOff');
  t.is(place(after(claimed(CLAIM), END, ABORT)), 'puttingOff');
  t.is(place(after(claimed(CLAIM), END, DELIVERED, ABORT)), 'settling');
});

test('a claim that was lost is dropped, one that was lost before is another matter', (t) => {
  for (const events of [[], [END], [END, DELIVERED], [END, FAILED]]) {
    t.is(after(claimed(CLAIM), ...events, lost(7)).status, 'done');
    t.is(after(claimed(CLAIM), ...events, lost(8)).status, 'active');
  }
});
