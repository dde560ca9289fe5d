import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyTransitionDefinition,
  type EventObject,
  getMicrosteps,
  initialTransition,
  transition,
} from 'xstate';
import { getShortestPaths } from 'xstate/graph';
import { labelOf, nodesOf, transitionsOf } from '../../src/dashboard/definition.ts';

/** A machine in one of the states it can be in, with the events that led there. */
export type Reached = { readonly state: AnyMachineSnapshot; readonly path: string };

/** What could happen in a state. */
export type Possible = (state: AnyMachineSnapshot) => readonly EventObject[];

/** Every state a machine can be in, contexts told apart, when it is only told what is possible. */
export function reach(machine: AnyStateMachine, input: unknown, possible: Possible): readonly Reached[] {
  return getShortestPaths(machine, { input, events: (state) => [...possible(state)] }).map(({ state, steps }) => ({
    state,
    path: steps.map(({ event }) => event.type).join(' → '),
  }));
}

/** The transitions that an event takes a machine through, those without an event included. */
function taken(
  machine: AnyStateMachine,
  state: AnyMachineSnapshot,
  event: EventObject,
): readonly AnyTransitionDefinition[] {
  const passed = getMicrosteps(machine, state, event).slice(0, -1);
  const always = passed.flatMap(([{ _nodes }]) => _nodes.flatMap((node) => node.always ?? []));
  if (always.length > passed.length) throw new Error('which of several `always` was taken cannot be told from outside');
  return [...machine.getTransitionData(state, event), ...always];
}

/** The transitions of a machine's definition that no possible event takes in any state it can be in. */
export function neverTaken(
  machine: AnyStateMachine,
  reached: readonly Reached[],
  possible: Possible,
): readonly string[] {
  const takenFrom = ({ state }: Reached) => possible(state).flatMap((event) => taken(machine, state, event));
  const used = new Set(reached.flatMap(takenFrom));
  return nodesOf(machine.root)
    .flatMap(transitionsOf)
    .filter((definition) => !used.has(definition))
    .map((definition) => {
      const target = definition.target?.map(({ id }) => id).join() ?? 'where it is';
      return `${definition.source.id} on ${labelOf(definition)} to ${target}`;
    });
}

/** The states of a machine's definition that it is never in. */
export function neverReached(machine: AnyStateMachine, reached: readonly Reached[]): readonly string[] {
  const used = new Set(reached.flatMap(({ state }) => state._nodes));
  return nodesOf(machine.root)
    .filter((node) => !used.has(node))
    .map(({ id }) => id);
}

/** Where a machine is, as `closed.probing`. */
export function place(state: AnyMachineSnapshot): string {
  const paths = state._nodes.map(({ path }) => path.join('.'));
  return paths.reduce((deepest, path) => (path.length > deepest.length ? path : deepest));
}

/** The effects that run in a state. */
export function running(state: AnyMachineSnapshot): readonly string[] {
  return state._nodes.flatMap(({ invoke }) => invoke.map(({ src }) => String(src)));
}

/** The event that says an effect has come to its end, with what came of it. */
export function done(machine: AnyStateMachine, effect: string, output?: unknown): EventObject & { output: unknown } {
  return { type: `xstate.done.actor.${idOf(machine, effect)}`, output };
}

/** The event that says an effect has failed. */
export function failed(machine: AnyStateMachine, effect: string): EventObject & { error: unknown } {
  return { type: `xstate.error.actor.${idOf(machine, effect)}`, error: new Error('away') };
}

/** Tells a machine one event after the other; answers where that leads and the actions it asks for on the way. */
export function tell(
  machine: AnyStateMachine,
  from: AnyMachineSnapshot,
  ...events: readonly EventObject[]
): { readonly state: AnyMachineSnapshot; readonly actions: readonly string[] } {
  let state = from;
  const actions: string[] = [];
  for (const event of events) {
    const [next, asked] = transition(machine, state, event);
    state = next;
    actions.push(...asked.map(({ type }) => type).filter((type) => !type.startsWith('xstate.')));
  }
  return { state, actions };
}

/** A machine as it begins. */
export function begin(machine: AnyStateMachine, input?: unknown): AnyMachineSnapshot {
  const [state] = initialTransition(machine, input);
  return state;
}

function idOf(machine: AnyStateMachine, effect: string): string {
  const invoke = nodesOf(machine.root)
    .flatMap((node) => node.invoke)
    .find(({ src }) => src === effect);
  if (!invoke) throw new Error(`the machine has no effect ${effect}`);
  return invoke.id;
}
