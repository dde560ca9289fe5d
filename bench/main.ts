/**
 * `npm run bench`: each contender in turn, several rounds, one table for each thing that is measured; writes `results.md`.
 * `npm run bench -- --quick`: less of each, in under a minute. `--only accept,whole`, `--rounds 5`, `--cpu-prof DIR`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Child } from './child.ts';
import { profileInto } from './contenders.ts';
import { machine } from './machine.ts';
import type { Figures, Scenario } from './scenario.ts';
import { accept } from './scenarios/accept.ts';
import { fanout } from './scenarios/fanout.ts';
import { health, users } from './scenarios/flatness.ts';
import { latency } from './scenarios/latency.ts';
import { endurance, listening, memory } from './scenarios/memory.ts';
import { relay } from './scenarios/relay.ts';
import { idle, recovery, startup } from './scenarios/start.ts';
import { listened, sizing, whole } from './scenarios/whole.ts';
import { table } from './table.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    of: { type: 'string', default: '' },
    rounds: { type: 'string' },
    'cpu-prof': { type: 'string' },
  },
});
const scale = values.quick ? 0.1 : 1;
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const all = [
  accept,
  whole,
  listened,
  latency,
  sizing,
  relay,
  fanout,
  memory,
  listening,
  users,
  health(values.quick ? 1000 : 1_000_000),
  recovery,
  startup,
  idle,
  endurance,
];
const only =
  values.only?.split(',') ?? (values.quick ? ['accept', 'whole', 'listened', 'latency', 'relay'] : undefined);
const chosen = all.filter(({ name }) => !only || only.includes(name));
if (!chosen.length) throw new Error(`--only takes ${all.map(({ name }) => name).join(', ')}`);
if (values['cpu-prof'] !== undefined) {
  mkdirSync(values['cpu-prof'], { recursive: true });
  profileInto(resolve(values['cpu-prof']));
}
if (!existsSync(resolve(HERE, 'node_modules'))) {
  console.log('npm ci in bench/: what the broker is measured against');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--silent'], { cwd: HERE, stdio: 'inherit' });
}

console.log(machine());
const sections: string[] = [];
for (const scenario of chosen) {
  const section = `## ${scenario.title}\n\nTo be reached: ${scenario.target}.\n\n${table(scenario, await measured(scenario))}\n`;
  console.log(`\n${section}`);
  sections.push(section);
}
if (!values.quick && !only && !values.of) {
  const head = `# Results\n\nMade by \`npm run bench\`: medians of ${rounds} rounds, in brackets the least and the most.\n\n${machine()}\n`;
  writeFileSync(resolve(HERE, 'results.md'), `${head}\n${sections.join('\n')}`);
}

/** Each entry in turn, so that all have their share of what else the machine does meanwhile. */
async function measured({ entries }: Scenario): Promise<ReadonlyMap<string, readonly Figures[]>> {
  const found = new Map<string, Figures[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, start, run } of entries) {
      if (!name.includes(values.of)) continue;
      const worker = await Child.start('worker.ts', {});
      const contender = await start(worker);
      try {
        found.set(name, [...(found.get(name) ?? []), await run(contender, worker, scale)]);
      } finally {
        await contender.stop();
        await worker.stop();
      }
    }
  }
  return found;
}
