import { type BrokerClient, BrokerError, type DeadLetter, type Retried } from '../client/index.ts';
import { isUsage } from './sentence.ts';
import type { Tools } from './session.ts';

/** As many as the broker tells at once. */
const PAGE = 500;

/**
 * Retries what failed and is wanted; answers the exit code. All pages are read before the first one is retried, so what
 * fails again at once is not retried twice; and the oldest goes first, so each user's messages come in the order they had.
 */
export async function retryAll(
  { client, output, signal }: Tools,
  isWanted: (letter: DeadLetter) => boolean,
): Promise<number> {
  const letters = (await allLetters(client, signal)).filter(isWanted);
  const queued = new Set<string>();
  const count = { retried: 0, refused: 0 };
  try {
    for (const letter of letters.toReversed()) {
      const { kind, user_id, message_id } = letter;
      const isCallback = kind === 'callback';
      // A message that waits again has a new end to be called back.
      if (isCallback && queued.has(message_id)) continue;
      try {
        const retried = await client.retry(user_id, message_id, { only: isCallback ? 'callback' : undefined, signal });
        if (retried.status === 'queued') queued.add(message_id);
        count.retried += 1;
        output.answer({ user_id, ...retried }, `${told(retried)}, of ${user_id}`);
      } catch (error) {
        if (!isOfThisOne(error)) throw error;
        count.refused += 1;
        output.fault(error, { message_id, user_id });
      }
    }
  } finally {
    output.answer(count, `${count.retried} retried, ${count.refused} refused`);
  }
  return count.refused ? 1 : 0;
}

/** Newest first. What fails meanwhile stands before the pages that are read, and is left for another time. */
async function allLetters(client: BrokerClient, signal: AbortSignal): Promise<readonly DeadLetter[]> {
  const letters: DeadLetter[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.deadLetters({ limit: PAGE, cursor, signal });
    letters.push(...page.dead_letters);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return letters;
}

/** The others may fare better. A user called `..` cannot be asked for. */
function isOfThisOne(error: unknown): boolean {
  return isUsage(error) || (error instanceof BrokerError && [404, 409, 429].includes(error.status));
}

/** What became of it, in a line. */
export function told(retried: Retried): string {
  const place = retried.status === 'queued' ? `, position ${retried.queue_position}` : '';
  return `${retried.message_id} ${retried.status}${place}`;
}
