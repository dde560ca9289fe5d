/**
 * `npm run bench`: each contender in turn, several rounds, one table; writes `results.md`.
 * `npm run bench -- --quick`: less of each, in under a minute. `--only accept,whole`, `--rounds 5`, `--cpu-prof DIR`.
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Child } from './child.ts';
import { profileInto } from './contenders.ts';
import type { Figures, Scenario } from './scenario.ts';
import { accept } from './scenarios/accept.ts';
import { listened, whole } from './scenarios/whole.ts';
import { table } from './table.ts';

const SCENARIOS: readonly Scenario[] = [accept, whole, listened];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    of: { type: 'string' },
    rounds: { type: 'string' },
    'cpu-prof': { type: 'string' },
  },
});
const scale = values.quick ? 0.15 : 1;
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const chosen = SCENARIOS.filter(({ name }) => !values.only || values.only.split(',').includes(name));
if (values['cpu-prof'] !== undefined) {
  mkdirSync(values['cpu-prof'], { recursive: true });
  profileInto(resolve(values['cpu-prof']));
}

const worker = await Child.start('worker.ts', {});
try {
  for (const scenario of chosen) {
    const found = new Map<string, Figures[]>();
    for (let round = 0; round < rounds; round += 1) {
      for (const start of scenario.contenders) {
        const contender = await start(worker);
        try {
          if (values.of && contender.name !== values.of) continue;
          const figures = await scenario.run(contender, worker, { scale });
          found.set(contender.name, [...(found.get(contender.name) ?? []), figures]);
        } finally {
          await contender.stop();
        }
      }
    }
    console.log(`\n${scenario.title}\n${table(scenario, found)}`);
  }
} finally {
  await worker.stop();
}
