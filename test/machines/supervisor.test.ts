import test from 'ava';
import type { AnyMachineSnapshot } from 'xstate';
import type { SupervisorEvent } from '../../machines/events.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { begin, neverReached, neverTaken, place, reach, tell } from './paths.ts';

const WORK: SupervisorEvent = { type: 'queue.work', queue: 'u' };
const IDLE: SupervisorEvent = { type: 'user.idle', queue: 'u' };
const GONE: SupervisorEvent = { type: 'users.gone' };
const LOST: SupervisorEvent = { type: 'claim.lost', queue: 'u', token: 1 };
const BROKEN: SupervisorEvent = { type: 'user.broken', queue: 'u.1', error: new Error('broken') };
const FAULT: SupervisorEvent = { type: 'xstate.error.actor.user', actorId: 'user', error: new Error('broken') };
const DRAIN: SupervisorEvent = { type: 'drain' };
const ABORT: SupervisorEvent = { type: 'abort' };
const EVENTS = [WORK, IDLE, GONE, LOST, BROKEN, FAULT, DRAIN, ABORT];

/** Drained, it has stopped: it is told nothing more. */
const possible = (state: AnyMachineSnapshot) => (state.status === 'active' ? EVENTS : []);
const RUNNING = begin(supervisorMachine);
const DRAINING = tell(supervisorMachine, RUNNING, DRAIN).state;
const DRAINED = tell(supervisorMachine, DRAINING, GONE).state;
const REACHED = reach(supervisorMachine, undefined, possible);

test('every state can be reached, and every transition is taken', (t) => {
  t.deepEqual(neverReached(supervisorMachine, REACHED), []);
  t.deepEqual(neverTaken(supervisorMachine, REACHED, possible), []);
});

test('running, draining, drained', (t) => {
  t.is(place(RUNNING), 'running');
  t.is(place(DRAINING), 'draining');
  t.is(place(DRAINED), 'drained');
  t.is(DRAINED.status, 'done');
});

test('what it does when it is told something', (t) => {
  const asked = (state: typeof RUNNING, event: SupervisorEvent) => tell(supervisorMachine, state, event).actions;
  t.deepEqual(asked(RUNNING, WORK), ['spawn']);
  t.deepEqual(asked(RUNNING, IDLE), ['retire']);
  t.deepEqual(asked(RUNNING, DRAIN), ['drainUsers']);
  t.deepEqual(asked(DRAINING, IDLE), ['retire']);
  t.deepEqual(asked(DRAINING, ABORT), ['abortUsers']);
  for (const state of [RUNNING, DRAINING]) {
    t.deepEqual(asked(state, LOST), ['dropClaim']);
    t.deepEqual(asked(state, BROKEN), ['forget']);
    t.is(tell(supervisorMachine, state, FAULT).state.status, 'active');
  }
});

test('while draining nobody is woken, and a second drain changes nothing', (t) => {
  for (const event of [WORK, DRAIN]) {
    const { state, actions } = tell(supervisorMachine, DRAINING, event);
    t.is(place(state), 'draining');
    t.deepEqual(actions, []);
  }
});

test('the last user that goes ends the draining only', (t) => {
  t.is(place(tell(supervisorMachine, RUNNING, GONE).state), 'running');
  t.is(place(tell(supervisorMachine, DRAINING, GONE).state), 'drained');
});

test('a broken user stops neither the supervisor nor its draining', (t) => {
  for (const state of [RUNNING, DRAINING]) {
    const { state: now } = tell(supervisorMachine, state, BROKEN);
    t.is(now.status, 'active');
    t.is(place(now), place(state));
  }
});
