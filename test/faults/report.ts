import type { Violation } from './checker.ts';
import type { History } from './history.ts';
import type { Plan } from './plan.ts';

/** One run in one line. */
export function summary(plan: Plan, history: History): string {
  const { seed, store, brokers, faults } = plan;
  const where = `${store}, ${brokers} broker${brokers === 1 ? '' : 's'}`;
  const ends = Map.groupBy(history.messages, ({ status }) => status);
  const ended = [...ends].map(([status, messages]) => `${messages.length} ${status}`).join(', ');
  const went = faults.map(({ kind }) => kind).join('; ') || 'nothing goes wrong';
  return `seed ${seed}: ${where}: ${went}: ${ended} in ${history.calls.length} calls`;
}

/** What is wrong with a run, in full. */
export function indictment(plan: Plan, violations: readonly Violation[]): string {
  const sentences = violations.map(({ clause, sentence }) => `  ${clause}: ${sentence}`);
  return [`Seed ${plan.seed} breaks what is guaranteed:`, ...sentences].join('\n');
}
