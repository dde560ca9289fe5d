import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

/** What a machine's definition says, for those who draw it. */

/** All states of a machine, the root first, and each before those in it. */
export function nodesOf(node: AnyStateNode): readonly AnyStateNode[] {
  return [node, ...childrenOf(node).flatMap(nodesOf)];
}

/** The states directly in a state. */
export function childrenOf(node: AnyStateNode): readonly AnyStateNode[] {
  return Object.values(node.states);
}

/** Every way out of a state that its definition names, each guarded candidate by itself. */
export function transitionsOf(node: AnyStateNode): readonly AnyTransitionDefinition[] {
  return [...(node.always ?? []), ...[...node.transitions.values()].flat()];
}

/** A way from one state to another, with all that makes it happen. */
export type Edge = { readonly from: AnyStateNode; readonly to: AnyStateNode; readonly labels: readonly string[] };

/** The ways from one state to another, one for each pair of states. */
export function edgesOf({ root }: AnyStateMachine): readonly Edge[] {
  const moves = nodesOf(root)
    .flatMap(transitionsOf)
    .flatMap((move) => (move.target ?? []).map((to) => ({ from: move.source, to, label: labelOf(move) })));
  const edges = Map.groupBy(moves, ({ from, to }) => `${from.id} ${to.id}`);
  return [...edges.values()].flatMap((same) => {
    const [first] = same;
    return first ? [{ from: first.from, to: first.to, labels: same.map(({ label }) => label) }] : [];
  });
}

/** What makes a transition happen: its event, or what came of an effect, and its guard. */
export function labelOf({ source, eventType, guard }: AnyTransitionDefinition): string {
  const type = String(eventType);
  const effect = source.invoke.find(({ id }) => type.endsWith(`.actor.${id}`));
  const name = typeof effect?.src === 'string' ? effect.src : effect?.id;
  const result = type.startsWith('xstate.done.') ? 'done' : 'failed';
  // A colon would end the label, and an asterisk is markup in Markdown.
  const event = name ? `${name} ${result}` : type.replace('xstate.error.actor.*', 'actor broke');
  const condition = guard ? guardName(guard) : (source.transitions.get(type)?.length ?? 0) > 1 ? 'else' : '';
  return [event, condition && `[${condition}]`].filter(Boolean).join(' ') || 'always';
}

function guardName(guard: unknown): string {
  if (typeof guard === 'function') return guard.name;
  return typeof guard === 'object' && guard && 'type' in guard ? String(guard.type) : String(guard);
}
