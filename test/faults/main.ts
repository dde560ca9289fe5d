/** `npm run test:faults`: random runs, one after the other, until the time is over or one shows a violation. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { check } from './checker.ts';
import { planOf } from './plan.ts';
import { indictment, summary } from './report.ts';
import { run } from './run.ts';

const HELP = `Runs brokers under load while things go wrong, and checks what became of every message.

  npm run test:faults -- --minutes 10     random runs for so long
  npm run test:faults -- --runs 200       so many
  npm run test:faults -- --seed 7         exactly one run, that of this seed
  npm run test:faults -- --seed 7 --runs 5    those of the seeds 7 to 11
  npm run test:faults -- --runs 200 --jobs 2  two at a time: most of a run is waiting
`;

const options = {
  minutes: { type: 'string' },
  runs: { type: 'string' },
  seed: { type: 'string' },
  jobs: { type: 'string' },
  help: { type: 'boolean' },
} as const;
const values = read();

// Whatever a run has started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

function read() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return process.exit(2);
  }
}

if (values.help) process.stdout.write(HELP);
else process.exitCode = await runAll();

/** Answers the exit code: 0 when every run kept what is guaranteed. */
async function runAll(): Promise<number> {
  const first = numberOf('seed') ?? Math.floor(Math.random() * 1_000_000_000);
  const most = numberOf('runs') ?? (values.minutes === undefined && values.seed !== undefined ? 1 : Infinity);
  const untilMs = performance.now() + (numberOf('minutes') ?? Infinity) * 60_000;
  const begunMs = performance.now();
  let next = first;
  let sound = 0;
  let broken = 0;
  const job = async () => {
    while (!broken && next < first + most && performance.now() < untilMs) {
      const seed = next;
      next += 1;
      if (await isSound(seed)) sound += 1;
      else broken += 1;
    }
  };
  await Promise.all(Array.from({ length: numberOf('jobs') ?? 1 }, job));
  const minutes = ((performance.now() - begunMs) / 60_000).toFixed(1);
  process.stdout.write(`${sound} runs kept every guarantee, ${broken} did not, in ${minutes} minutes.\n`);
  return broken ? 1 : 0;
}

async function isSound(seed: number): Promise<boolean> {
  const plan = planOf(seed);
  const begunMs = performance.now();
  const history = await run(plan);
  const violations = check(history);
  const seconds = ((performance.now() - begunMs) / 1000).toFixed(1);
  process.stdout.write(`${summary(plan, history)} (${seconds} s)\n`);
  if (!violations.length) return true;
  const file = join(mkdtempSync(join(tmpdir(), 'broker-history-')), `${seed}.json`);
  writeFileSync(file, JSON.stringify({ plan, violations, history }, undefined, 1));
  process.stdout.write(`${indictment(plan, violations)}\nThe whole history is in ${file}\n`);
  return false;
}

function numberOf(option: 'minutes' | 'runs' | 'seed' | 'jobs'): number | undefined {
  const value = values[option];
  if (value === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(value) && (Number(value) > 0 || option === 'seed')) return Number(value);
  process.stderr.write(`--${option} needs a number above 0, not "${value}".\n\n${HELP}`);
  return process.exit(2);
}
