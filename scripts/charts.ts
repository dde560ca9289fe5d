/**
 * Draws the machines as Mermaid charts into ARCHITECTURE.md, between `<!-- chart:NAME -->` and `<!-- /chart -->`.
 * `node scripts/charts.ts` writes them; with `--check` it only says which are out of date, and fails if one is.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { deliveryMachine } from '../machines/delivery.ts';
import { supervisorMachine } from '../machines/supervisor.ts';
import { userMachine } from '../machines/user.ts';
import { workerHealthMachine } from '../machines/worker-health.ts';
import { childrenOf, labelOf, nodesOf, transitionsOf } from '../src/dashboard/definition.ts';

const DOCUMENT = new URL('../ARCHITECTURE.md', import.meta.url);
const MACHINES: Readonly<Record<string, AnyStateMachine>> = {
  user: userMachine,
  supervisor: supervisorMachine,
  delivery: deliveryMachine,
  'worker-health': workerHealthMachine,
};

/** The document with its charts as the machines are now. Throws when it has no place for one of them. */
export function withCharts(document: string): string {
  return Object.entries(MACHINES).reduce((text, [name, machine]) => {
    const place = placeOf(name);
    if (!place.test(text)) throw new Error(`ARCHITECTURE.md has no place for the chart "${name}"`);
    return text.replace(place, (_, before: string, after: string) => `${before}\n${chart(machine)}\n${after}`);
  }, document);
}

/** The names of the charts that are not as the machines are now. */
export function outdated(document: string): readonly string[] {
  const current = withCharts(document);
  return Object.keys(MACHINES).filter((name) => placeOf(name).exec(document)?.[0] !== placeOf(name).exec(current)?.[0]);
}

/** A machine as a state diagram, and what it takes in without leaving its state below. */
export function chart(machine: AnyStateMachine): string {
  const { root } = machine;
  const moves = nodesOf(root).flatMap(transitionsOf);
  const edges = Map.groupBy(
    moves.flatMap((move) => (move.target ?? []).map((target) => ({ move, target }))),
    ({ move, target }) => `${nameOf(move.source)} --> ${nameOf(target)}`,
  );
  // All edges stand outside: one written inside a composite state would pull its target in.
  const lines = [
    'stateDiagram-v2',
    ...inside(root),
    ...[...edges].map(([edge, same]) => `${edge} : ${same.map(({ move }) => labelOf(move)).join('<br/>')}`),
    ...nodesOf(root)
      .filter(({ type }) => type === 'final')
      .map((node) => `${nameOf(node)} --> [*]`),
  ];
  const kept = Map.groupBy(
    moves.filter(({ target }) => !target),
    ({ source }) => source,
  );
  const notes = [...kept].map(([source, same]) => {
    const where = source === root ? 'any state' : nameOf(source);
    const events = same.map((move) => `\`${labelOf(move)}\``).join(', ');
    return `Taken in without leaving ${where}, unless the chart says otherwise: ${events}.`;
  });
  return [`\`\`\`mermaid\n${lines.join('\n    ')}\n\`\`\``, ...notes].join('\n\n');
}

function inside(node: AnyStateNode): readonly string[] {
  const [initial] = node.initial.target;
  return [
    ...(initial ? [`[*] --> ${nameOf(initial)}`] : []),
    ...childrenOf(node).flatMap((child) =>
      childrenOf(child).length
        ? [`state ${nameOf(child)} {`, ...inside(child).map((line) => `    ${line}`), '}']
        : [nameOf(child)],
    ),
  ];
}

function nameOf(node: AnyStateNode): string {
  return node.key;
}

function placeOf(name: string): RegExp {
  return new RegExp(`(<!-- chart:${name} -->)[^]*?(<!-- /chart -->)`);
}

if (import.meta.main) {
  const document = readFileSync(DOCUMENT, 'utf8');
  const names = outdated(document);
  if (!process.argv.includes('--check')) writeFileSync(DOCUMENT, withCharts(document));
  else if (names.length) {
    const what = `ARCHITECTURE.md shows these machines as they were: ${names.join(', ')}`;
    process.stderr.write(`${what}. Run node scripts/charts.ts\n`);
    process.exitCode = 1;
  }
}
