import test from 'ava';
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import type { WorkerHealthEvent } from '../../machines/events.ts';
import { workerHealthMachine } from '../../machines/worker-health.ts';
import { begin, neverReached, neverTaken, place, reach, tell } from './paths.ts';

const CONCURRENCY = 6;
const REACHED_WORKER: WorkerHealthEvent = { type: 'call.reached' };
const unreachable = (queue: string): WorkerHealthEvent => ({ type: 'call.unreachable', queue });
const UNREACHABLE = unreachable('one');
const BEGUN = begin(workerHealthMachine, { concurrency: CONCURRENCY });

/** What the effect that runs in a state comes to: a probe an answer, a pause its end. */
function ended(state: AnyMachineSnapshot, well?: boolean): EventObject {
  const [effect] = state._nodes.flatMap((node) => node.invoke);
  if (!effect) throw new Error(`nothing runs in ${place(state)}`);
  return Object.assign({ type: `xstate.done.actor.${effect.id}` }, { output: well });
}

const runs = (state: AnyMachineSnapshot) => state._nodes.some((node) => node.invoke.length > 0);
const possible = (state: AnyMachineSnapshot): readonly EventObject[] => [
  REACHED_WORKER,
  ...['one', 'another', 'a third'].map(unreachable),
  ...(runs(state) ? [ended(state, true), ended(state, false)] : []),
];
const REACHED = reach(workerHealthMachine, { concurrency: CONCURRENCY }, possible);

/** What a health does that is told one thing after the other. */
class Told {
  state = BEGUN;
  actions: readonly string[] = [];

  tell(...events: readonly WorkerHealthEvent[]): this {
    ({ state: this.state, actions: this.actions } = tell(workerHealthMachine, this.state, ...events));
    return this;
  }

  /** The effect that runs comes to its end. */
  end(well?: boolean): this {
    ({ state: this.state, actions: this.actions } = tell(workerHealthMachine, this.state, ended(this.state, well)));
    return this;
  }
}

const closed = () => new Told().end(true);
const open = () => closed().tell(UNREACHABLE).end(false);
const halfOpen = () => open().end().end(true);

test('every state can be reached, and every transition is taken', (t) => {
  t.deepEqual(neverReached(workerHealthMachine, REACHED), []);
  t.deepEqual(neverTaken(workerHealthMachine, REACHED, possible), []);
});

test('it never ends, whatever happens', (t) => {
  t.true(REACHED.every(({ state }) => state.status === 'active'));
});

test('a worker that was never asked is taken for well, until it is asked', (t) => {
  t.is(place(BEGUN), 'closed.probing');
  t.is(BEGUN.context.connected, undefined);
  t.like(new Told().end(false).state.context, { connected: false });
  t.is(place(new Told().end(false).state), 'closed.resting', 'a probe alone stops nobody');
});

test('a call that fails stops nobody while the worker says it is well', (t) => {
  const suspecting = closed().tell(UNREACHABLE);
  t.is(place(suspecting.state), 'closed.suspecting');
  t.deepEqual(suspecting.actions, []);
  t.is(
    place(suspecting.tell(UNREACHABLE, REACHED_WORKER).state),
    'closed.suspecting',
    'others wait for the same verdict',
  );
  suspecting.end(true);
  t.is(place(suspecting.state), 'closed.resting');
  t.deepEqual(suspecting.actions, []);
});

test('a call that fails and then a probe stop all calls', (t) => {
  const health = open();
  t.is(place(health.state), 'open.resting');
  t.deepEqual(health.actions, ['allow']);
  t.false(health.state.context.connected);
  t.is(
    place(health.tell(REACHED_WORKER, UNREACHABLE).state),
    'open.resting',
    'what was still on its way changes nothing',
  );
});

test('while open it probes at growing intervals', (t) => {
  const health = open();
  const tries = [];
  for (let n = 0; n < 7; n += 1) {
    t.is(place(health.end().state), 'open.probing');
    t.is(place(health.end(false).state), 'open.resting');
    tries.push(health.state.context.tries);
  }
  t.deepEqual(tries, [1, 2, 3, 4, 4, 4, 4]);
});

test('it opens up by degrees', (t) => {
  const health = halfOpen();
  const allowed = [];
  while (health.state.matches('halfOpen')) {
    allowed.push(health.state.context.allowed);
    health.tell(REACHED_WORKER);
    t.deepEqual(health.actions, ['allow']);
  }
  t.deepEqual(allowed, [1, 2, 4]);
  t.is(place(health.state), 'closed.probing');
  t.is(health.state.context.tries, 0);
});

test('calls of several queues that fail one after the other are believed, whatever a probe says', (t) => {
  const health = closed().tell(unreachable('one'), unreachable('one'), unreachable('another')).end(true);
  t.is(place(health.state), 'closed.resting');
  t.is(place(health.tell(unreachable('a third')).end(true).state), 'open.resting');
  t.true(health.state.context.connected);
  const reached = closed().tell(unreachable('one'), unreachable('another'), REACHED_WORKER, unreachable('a third'));
  t.is(place(reached.end(true).state), 'closed.resting', 'one that gets through clears all others');
});

test('a call that fails while half open stops all calls again only if a probe fails too', (t) => {
  const health = halfOpen().tell(REACHED_WORKER, UNREACHABLE);
  t.is(place(health.state), 'halfOpen.suspecting');
  t.is(place(health.end(true).state), 'halfOpen.resting');
  t.is(place(health.tell(UNREACHABLE).end(false).state), 'open.resting');
  t.is(health.actions.at(-1), 'allow');
  t.is(halfOpen().state.context.allowed, 1, 'and begins anew');
});

test('the pause before the next probe is short again once a call has got through', (t) => {
  const health = open().end().end(false).end().end(false).end().end(true);
  t.is(health.state.context.tries, 3);
  t.is(health.tell(REACHED_WORKER, UNREACHABLE).end(false).state.context.tries, 0);
});

test('without calls it is the probes that open it up, and one after trouble does not', (t) => {
  const health = halfOpen();
  t.is(health.end().end(true).state.context.allowed, 2);
  t.is(health.tell(UNREACHABLE).end(true).end().end(true).state.context.allowed, 2);
  t.is(health.end().end(true).state.context.allowed, 4);
  t.is(place(health.end().end(true).state), 'closed.probing');
  t.is(place(halfOpen().end().end(false).state), 'open.resting');
});
