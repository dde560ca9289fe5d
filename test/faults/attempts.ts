import { fieldsOf } from './facts.ts';
import type { LoggedEvent, WorkerCall } from './history.ts';

/** One attempt at a message, as its log tells it. */
export type Attempt = {
  readonly number: number;
  /** The worker's events between this attempt's `processing` and the next `retrying` or the end. */
  readonly words: readonly string[];
};

/** The attempts of a log, in order, and the worker's events that stand in none. */
export function attemptsOf(log: readonly LoggedEvent[]): { attempts: readonly Attempt[]; strays: readonly string[] } {
  const attempts: { number: number; words: string[] }[] = [];
  const strays: string[] = [];
  let words = strays;
  for (const event of log) {
    if (event.name === '') words.push(event.data);
    else words = strays;
    if (event.name !== 'processing') continue;
    words = [];
    attempts.push({ number: numberOf(event), words });
  }
  return { attempts, strays };
}

/** The attempt that a `processing` or `retrying` event speaks of. */
export function numberOf(event: LoggedEvent): number {
  return Number(fieldsOf(event)['attempt']);
}

/** Did a later attempt void this call's, or its message's being cancelled? */
export function isVoided(call: WorkerCall, log: readonly LoggedEvent[] = []): boolean {
  return log.some(
    (event) =>
      (event.name === 'retrying' && numberOf(event) > (call.attempt ?? 0)) ||
      (event.name === 'error' && fieldsOf(event)['status'] === 'cancelled'),
  );
}
