import { acceptedBefore, type Facts } from '../facts.ts';
import type { Cancelling, StoredMessage, WorkerCall } from '../history.ts';
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

/** Once a message is said to be cancelled, or to have ended before, it is not called any more. */
export const noCallAfterCancelling: Clause = function* (facts) {
  for (const { messageId, answer, answeredMs } of facts.history.cancellings) {
    if (!messageId || (answer?.status !== 200 && answer?.status !== 409)) continue;
    for (const call of callsAfter(answeredMs, messageId, facts))
      yield `${messageId} was called by ${call.broker} after it was said to be cancelled, or to have ended.`;
  }
};

/** What waited in a queue that was cleared never runs. One message may have been claimed already, and be called yet. */
export const clearedAsSaid: Clause = function* (facts) {
  for (const { queue, messageId, sentMs, answer, answeredMs } of facts.history.cancellings) {
    if (messageId || answer?.status !== 200) continue;
    const accepted = [...facts.accepted].filter(
      ([, message]) => message.queue === queue && (message.acceptedMs ?? Infinity) <= sentMs,
    );
    const called = accepted.filter(([id]) => callsAfter(answeredMs, id, facts).some(({ attempt }) => attempt === 1));
    if (called.length > 1)
      yield `${called.map(([id]) => id).join(', ')} were called after their queue was said to be cleared.`;
  }
};

/** What was accepted before a message that interrupts is cancelled, if it is called yet once that one is accepted. */
export const interruptedAsSaid: Clause = function* (facts) {
  for (const urgent of facts.sent) {
    if (!urgent.interrupts || urgent.acceptedMs === undefined) continue;
    for (const [id, message] of facts.accepted) {
      if (message.queue !== urgent.queue || message === urgent || !acceptedBefore(message, urgent)) continue;
      if (facts.stored.get(id)?.status === 'cancelled') continue;
      for (const call of callsAfter(urgent.acceptedMs, id, facts))
        yield `${id} was called by ${call.broker} after "${urgent.clientMessageId}" had interrupted it.`;
    }
  }
};

function callsAfter(ms: number, messageId: string, facts: Facts): readonly WorkerCall[] {
  const calls = facts.callsOf.get(messageId) ?? [];
  return calls.filter((call) => call.startedMs > ms && !isOrphan(call, call.startedMs, facts));
}

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
