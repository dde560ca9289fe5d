/**
 * `npm run bench`: each contender in turn, several rounds, one table for each thing that is measured; each goes into
 * `results.md` as soon as it is there.
 * `npm run bench -- --quick`: one small round of the main parts. `--only accept,whole`, `--rounds 5`, `--cpu-prof DIR`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { profileInto } from './contenders.ts';
import { machine } from './machine.ts';
import { optionsOf, refuse } from './options.ts';
import { Results } from './results.ts';
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

const { quick, only, of, rounds, profiles } = optionsOf(process.argv.slice(2));
const scale = quick ? 0.1 : 1;
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
  health(quick ? 1000 : 1_000_000),
  recovery,
  startup,
  idle,
  endurance,
];
const names = all.map(({ name }) => name);
const unknown = only?.filter((name) => !names.includes(name)) ?? [];
if (unknown.length) refuse(`--only takes ${names.join(', ')}, not '${unknown.join("', '")}'.`);
const chosen = all
  .filter(({ name }) => !only || only.includes(name))
  .map((scenario) => ({ ...scenario, entries: scenario.entries.filter(({ name }) => name.includes(of)) }))
  .filter(({ entries }) => entries.length);
if (!chosen.length) refuse(`--of '${of}' is in no name of what is measured.`);
if (profiles !== undefined) {
  mkdirSync(profiles, { recursive: true });
  profileInto(profiles);
}
if (!existsSync(resolve(HERE, 'node_modules'))) {
  console.log('npm ci in bench/: what the broker is measured against');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund', '--silent'], { cwd: HERE, stdio: 'inherit' });
}

console.log(machine());
if (quick) console.log('Small rounds of the main parts, to see that they work: not to be judged by.');
const recorded = !quick && !of;
const results = recorded ? new Results(resolve(HERE, 'results.md'), names) : undefined;
for (const [index, scenario] of chosen.entries()) {
  const busy = busyness(index > 0);
  const found = table(scenario, await measured(scenario));
  const how = quick ? '' : `To be reached: ${scenario.target}. Rounds: ${rounds}.\n\n`;
  const section = `## ${scenario.title}\n\n${how}${busy}${found}\n`;
  console.log(`\n${section}`);
  results?.put(scenario.name, `${section}\n${machine()}`);
}
console.log(recorded ? 'Written to bench/results.md.' : 'Not written to bench/results.md: this was a part.');

/** What is said when others are at work on the machine. The scenario before counts as well: it was so a minute ago. */
function busyness(later: boolean): string {
  const [load = 0] = loadavg();
  if (load <= 1) return '';
  return `The machine was busy: load ${load.toFixed(1)}${later ? ', in part from the scenario before' : ''}.\n\n`;
}

/** Each entry in turn, so that all have their share of what else the machine does meanwhile. */
async function measured({ name: scenario, entries }: Scenario): Promise<ReadonlyMap<string, readonly Figures[]>> {
  const found = new Map<string, Figures[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, start, run } of entries) {
      console.error(`${scenario}: ${name}, round ${round + 1} of ${rounds}`);
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
