import type { Facts } from '../facts.ts';
import type { Cancelling, StoredMessage } from '../history.ts';
import { isOrphan } from '../orphans.ts';
import type { Clause } from './clause.ts';

/** Done, on its way, ended before, no store: nothing else can become of a request to cancel. */
const ANSWERS = new Set([200, 202, 409, 503]);

/** No message is cancelled unless somebody asked for it. */
export const cancelledOnPurpose: Clause = function* (facts) {
  for (const message of facts.stored.values()) {
    if (message.status !== 'cancelled' || isAskedFor(message, facts)) continue;
    yield `${message.messageId} of ${message.queue} was cancelled, and nobody asked for it.`;
  }
};

/** What is said to be cancelled is, and what is said to have ended has. */
export const cancelledAsSaid: Clause = function* ({ history, stored }) {
  for (const { queue, messageId, answer } of history.cancellings) {
    const what = messageId ?? `all that waits in ${queue}`;
    if (answer && !ANSWERS.has(answer.status)) yield `To cancel ${what} was answered with ${answer.status}.`;
    if (!messageId || answer?.status !== 200) continue;
    const status = stored.get(messageId)?.status;
    if (status !== 'cancelled') yield `${messageId} was said to be cancelled and is ${status}.`;
  }
};

/** Once it is said to be cancelled a message is not called any more. */
export const noCallAfterCancelling: Clause = function* (facts) {
  for (const { messageId, answer, answeredMs } of facts.history.cancellings) {
    if (!messageId || answer?.status !== 200) continue;
    for (const call of facts.callsOf.get(messageId) ?? []) {
      if (call.startedMs > answeredMs && !isOrphan(call, call.startedMs, facts))
        yield `${messageId} was called by ${call.broker} after it was said to be cancelled.`;
    }
  }
};

function isAskedFor(message: StoredMessage, { history, sent, accepted }: Facts): boolean {
  const { queue, messageId } = message;
  const asks = (cancelling: Cancelling) =>
    cancelling.queue === queue && (cancelling.messageId === undefined || cancelling.messageId === messageId);
  if (history.cancellings.some(asks)) return true;
  const firstSent = accepted.get(messageId)?.firstSent ?? 0;
  return sent.some(
    (other) => other.queue === queue && other.interrupts && (other.firstAccepted ?? Infinity) > firstSent,
  );
}
