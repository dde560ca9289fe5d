import { setTimeout as delay } from 'node:timers/promises';

/** What is answered within so many ms; undefined when that takes longer. Throws what the answer throws by then. */
export async function within<Answer>(ms: number, answer: Promise<Answer>): Promise<Answer | undefined> {
  const patience = new AbortController();
  try {
    return await Promise.race([answer, delay(ms, undefined, patience)]);
  } finally {
    patience.abort();
    // Should it fail later, that is told elsewhere.
    answer.catch(() => {});
  }
}
