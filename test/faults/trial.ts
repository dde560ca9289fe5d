import type { ExecutionContext } from 'ava';
import { check } from './checker.ts';
import type { History } from './history.ts';
import { planOf, type Wish } from './plan.ts';
import { indictment, summary } from './report.ts';
import { run } from './run.ts';

/** More than any run takes, on a machine that has other things to do. */
const RUN_WITHIN_MS = 180_000;
/** Small, so that many of these fit into `npm test`. */
const SIZE = 4;
/** So many that a fault which voids attempts fails no message. */
const MANY_ATTEMPTS = 20;

/** Carries out the plan of a seed; the test fails, with all there is to say, where it breaks what is guaranteed. */
export async function isSound(t: ExecutionContext, seed: number, wish: Wish = {}): Promise<History> {
  t.timeout(RUN_WITHIN_MS);
  const plan = planOf(seed, { size: SIZE, cancels: false, ...wish });
  const history = await run(plan);
  const violations = check(history);
  t.log(summary(plan, history));
  t.deepEqual(violations, [], indictment(plan, violations));
  return history;
}

/** The same, with a worker that does its work and no limit to speak of: then nothing may fail. */
export async function completesAll(t: ExecutionContext, seed: number, wish: Wish): Promise<void> {
  const { messages } = await isSound(t, seed, { ...wish, worker: 'well', attempts: MANY_ATTEMPTS });
  t.deepEqual(
    messages.filter(({ status }) => status !== 'completed'),
    [],
  );
}
