import test from 'ava';
import { type AnyMachineSnapshot, type EventObject, transition } from 'xstate';
import type { Claim, Opening, Settled, UserEvent } from '../../machines/events.ts';
import { userMachine } from '../../machines/user.ts';
import { begin, neverReached, neverTaken, place, reach, tell } from './paths.ts';

const CLAIM: Claim = { queue: 'u', messageId: 'm1', token: 1, attempt: 1 };
const RETRY: Claim = { ...CLAIM, attempt: 2 };
const NEXT: Claim = { queue: 'u', messageId: 'm2', token: 2, attempt: 1 };

const WORK: UserEvent = { type: 'work' };
const RETIRE: UserEvent = { type: 'retire' };
const DRAIN: UserEvent = { type: 'drain' };
const ABORT: UserEvent = { type: 'abort' };
const lost = (token: number): UserEvent => ({ type: 'claim.lost', token });

const done = (effect: string, output?: unknown) => ({ type: `${effect}.done`, output });
const claimed = (claim: Claim | undefined) => done('claim', claim);
const opening = (output: Opening): UserEvent => ({ type: 'open.done', output });
const opened = opening({ type: 'opened' });
const REFUSAL = { delayMs: 250, reason: 'the worker answered 503' };
const refused = opening({ type: 'refused', ...REFUSAL });
const backedOff = done('backOff', RETRY);
const settled = (left: Settled) => done('relay', left);
const ended = (left: Settled) => opening({ type: 'settled', ...left });
const released = done('release');
const fault = (effect: string) => ({ type: `${effect}.failed`, error: new Error('away') });

/** Everything that settling a message can leave. */
const LAST: Settled = { outcome: { status: 'completed' }, next: undefined, waiting: false };
const MORE: Settled = { ...LAST, waiting: true };
const FOLLOWED: Settled = { ...MORE, next: NEXT };
const LEFT = [FOLLOWED, MORE, LAST];

/** Everything that can come of each effect. */
const RESULTS: Readonly<Record<string, readonly EventObject[]>> = {
  claim: [claimed(CLAIM), claimed(undefined)],
  open: [opened, refused, ...LEFT.map(ended)],
  backOff: [backedOff, done('backOff', undefined)],
  relay: LEFT.map(settled),
  release: [released],
};

/** The effects that run in a state: those that are begun as it is entered. */
function running(state: AnyMachineSnapshot): readonly string[] {
  return state._nodes.flatMap(({ entry }) => entry.map(typeOf)).filter((type) => Object.hasOwn(RESULTS, type));
}

function typeOf(action: unknown): string {
  return typeof action === 'object' && action !== null && 'type' in action ? String(action.type) : String(action);
}

/** What a user can be told in a state: by the supervisor anything, and what its running effects come to. */
function possible(state: AnyMachineSnapshot): readonly EventObject[] {
  if (state.status !== 'active') return [];
  const ends = running(state).flatMap((effect) => [...(RESULTS[effect] ?? []), fault(effect)]);
  return [WORK, RETIRE, DRAIN, ABORT, lost(CLAIM.token), lost(NEXT.token), ...ends];
}

const IDLE = begin(userMachine, { queue: 'u' });
const REACHED = reach(userMachine, { queue: 'u' }, possible);

/** A user that was told these events from the beginning. */
const after = (...events: readonly EventObject[]) => tell(userMachine, IDLE, ...events);

const CLAIMING = [WORK];
const DISPATCHING = [...CLAIMING, claimed(CLAIM)];
const STREAMING = [...DISPATCHING, opened];
const BACKING_OFF = [...DISPATCHING, refused];
const RELEASING = [...STREAMING, fault('relay')];
const BUSY = [CLAIMING, DISPATCHING, BACKING_OFF, STREAMING, RELEASING];

test('every state can be reached, and every transition is taken', (t) => {
  t.deepEqual(neverReached(userMachine, REACHED), []);
  t.deepEqual(neverTaken(userMachine, REACHED, possible), []);
});

test('nothing that can happen breaks the machine', (t) => {
  const broken = REACHED.filter(({ state }) => state.status !== 'active' && place(state) !== 'retired');
  t.deepEqual(
    broken.map(({ path }) => path),
    [],
  );
});

test('the usual way: idle, claiming, dispatching, streaming, idle', (t) => {
  t.is(place(IDLE), 'idle');
  t.is(place(after(...CLAIMING).state), 'claiming');
  t.is(place(after(...DISPATCHING).state), 'dispatching');
  t.is(place(after(...STREAMING).state), 'streaming');
  const { state, actions } = after(...STREAMING, settled(LAST));
  t.is(place(state), 'idle');
  t.deepEqual(actions.slice(-2), ['freeSlot', 'reportIdle']);
});

test('a next claim that came with the settling is worked on at once, in the same slot', (t) => {
  for (const event of [settled(FOLLOWED), ended(FOLLOWED)]) {
    const from = after(...(event.type === 'relay.done' ? STREAMING : DISPATCHING)).state;
    const { state, actions } = tell(userMachine, from, event);
    t.is(place(state), 'dispatching');
    t.like(state.context, { claim: NEXT });
    t.deepEqual(actions, ['leave', 'open']);
  }
});

test('a message that backed off while calls were stopped is handed over', (t) => {
  const { state } = tell(userMachine, after(...BACKING_OFF).state, done('backOff', undefined));
  t.is(place(state), 'releasing');
  t.like(state.context, { claim: CLAIM });
});

test('a hint while busy, in whatever state, leads to another look at the queue', (t) => {
  const last: Readonly<Record<string, EventObject>> = {
    claiming: claimed(undefined),
    dispatching: ended(LAST),
    backingOff: fault('backOff'),
    streaming: settled(LAST),
    releasing: released,
  };
  const busy = new Set(REACHED.filter(({ state }) => running(state).length).map(({ state }) => place(state)));
  t.deepEqual(Object.keys(last).sort(), [...busy].sort());
  for (const events of BUSY) {
    const hinted = after(...events, WORK).state;
    let { state } = tell(userMachine, hinted, last[place(hinted)] ?? WORK);
    if (place(state) === 'releasing') ({ state } = tell(userMachine, state, released));
    t.is(place(state), 'claiming', place(hinted));
    t.false(state.context.hinted, 'one hint is one look: a store that is away is not asked in a loop');
    t.is(place(tell(userMachine, state, fault('claim')).state), 'idle', place(hinted));
  }
});

test('a user never rests with a hint unanswered, unless it is draining', (t) => {
  const idle = REACHED.filter(({ state }) => place(state) === 'idle');
  const resting = idle.filter(({ state }) => state.context.hinted && !state.context.draining);
  t.deepEqual(
    resting.map(({ path }) => path),
    [],
  );
});

test('drained in whatever state, a user claims no more and comes to rest when its call is over', (t) => {
  const ends = [WORK, opened, settled(MORE), released];
  for (const { state, path } of REACHED.filter((reached) => reached.state.status === 'active')) {
    let { state: now } = tell(userMachine, state, DRAIN);
    const seen = [place(now)];
    for (const event of ends) {
      ({ state: now } = tell(userMachine, now, event));
      seen.push(place(now));
    }
    t.is(place(now), 'idle', `${path}: ${seen.join(' → ')}`);
    t.false(seen.includes('claiming'), path);
  }
});

test('a claim that was taken while the drain began is handed over, not begun', (t) => {
  for (const events of [
    [...STREAMING, DRAIN, settled(FOLLOWED)],
    [...DISPATCHING, DRAIN, ended(FOLLOWED)],
  ]) {
    const { state } = after(...events);
    t.is(place(state), 'releasing');
    t.is(state.context.claim, NEXT);
  }
});

test('aborted in whatever state, a user hands a claim over and comes to rest', (t) => {
  for (const { state, path } of REACHED.filter((reached) => reached.state.status === 'active')) {
    const { state: now } = tell(userMachine, state, ABORT);
    t.true(now.context.draining, path);
    if (state.context.claim) {
      t.is(place(now), 'releasing', path);
      t.is(now.context.claim, state.context.claim, path);
      for (const end of [released, fault('release')])
        t.is(place(tell(userMachine, now, WORK, end).state), 'idle', path);
    } else {
      t.is(place(now), 'idle', path);
    }
  }
});

test('when its own claim is lost, a user drops the work without another write', (t) => {
  for (const { state, path } of REACHED) {
    const { claim } = state.context;
    if (!claim || place(state) === 'releasing') continue;
    const { state: now } = tell(userMachine, state, lost(claim.token));
    t.is(now.context.claim, undefined, path);
    t.true(['idle', 'claiming'].includes(place(now)), path);
    t.is(place(now) === 'idle', !state.context.hinted || state.context.draining, path);
  }
});

test('that another claim was lost changes nothing', (t) => {
  for (const { state, path } of REACHED) {
    const { state: now, actions } = tell(userMachine, state, lost(99));
    t.deepEqual([now.value, now.context], [state.value, state.context], path);
    t.deepEqual(actions, [], path);
  }
});

test('a refused call gives its slot up, waits, and is made again as the next attempt', (t) => {
  const { state, actions } = after(...BACKING_OFF);
  t.is(place(state), 'backingOff');
  t.deepEqual(actions.slice(-3), ['leave', 'freeSlot', 'backOff']);
  const [, executed] = transition(userMachine, after(...DISPATCHING).state, refused);
  t.like(executed.at(-1), { type: 'backOff', params: { claim: CLAIM, ...REFUSAL } });
  const again = tell(userMachine, state, backedOff).state;
  t.is(place(again), 'dispatching');
  t.is(again.context.claim, RETRY);
});

test('a call refused while draining is handed over instead of waited for', (t) => {
  t.is(place(after(...DISPATCHING, DRAIN, refused).state), 'releasing');
});

test('a message that ends before its stream began leads where one does that ended after it', (t) => {
  for (const left of LEFT) {
    const early = after(...DISPATCHING, ended(left)).state;
    const late = after(...STREAMING, settled(left)).state;
    t.deepEqual([early.value, early.context], [late.value, late.context]);
  }
});

test('a fault in any effect is reported, and a claim is handed over', (t) => {
  for (const events of BUSY) {
    const { state } = after(...events);
    const [effect = ''] = running(state);
    const { state: now, actions } = tell(userMachine, state, fault(effect));
    t.is(place(now), effect === 'claim' || effect === 'release' ? 'idle' : 'releasing', effect);
    t.true(actions.includes('reportFault'), effect);
  }
});

test('an effect is left with its state, and nobody leaves what did not begin', (t) => {
  for (const { state, path } of REACHED) {
    for (const event of possible(state)) {
      const { state: now, actions } = tell(userMachine, state, event);
      const begun = actions.some((action) => Object.hasOwn(RESULTS, action));
      const left = running(state).length > 0 && (begun || place(now) !== place(state));
      t.is(actions.filter((action) => action === 'leave').length > 0, left, `${path} → ${event.type}`);
    }
  }
});

test('a slot is free whenever no call is made', (t) => {
  const free = new Set(['idle', 'claiming', 'backingOff']);
  for (const { state, path } of REACHED) {
    for (const event of possible(state)) {
      const { state: now, actions } = tell(userMachine, state, event);
      const entered = place(now) !== place(state) && free.has(place(now)) && place(state) !== 'idle';
      if (entered) t.true(actions.includes('freeSlot'), `${path} → ${event.type}`);
    }
  }
});

test('only an idle user retires', (t) => {
  for (const { state, path } of REACHED) {
    const { state: now } = tell(userMachine, state, RETIRE);
    t.is(place(now), place(state) === 'idle' ? 'retired' : place(state), path);
  }
});
