import type { SentMessage } from '../facts.ts';
import type { Sending } from '../history.ts';
import type { Clause } from './clause.ts';

/** Statuses that say no, and are to be tried again: a full queue, a broker that stops or has no store. */
const REFUSALS = new Set([429, 503]);

/** A message that is sent again is accepted once, and the client is told so. */
export const acceptedOnce: Clause = function* ({ sent, accepted }) {
  for (const message of sent) {
    const name = nameOf(message);
    if (message.messageIds.length > 1)
      yield `${name} was accepted more than once: as ${message.messageIds.join(', ')}.`;
    let before: Sending['answer']['type'] | 'never sent' = 'never sent';
    for (const { answer } of message.sendings) {
      if (answer.type !== 'accepted') {
        if (before !== 'accepted' && !isCertainNo(answer)) before = 'unknown';
        continue;
      }
      if (answer.duplicate === true && before === 'never sent')
        yield `${name} was called a duplicate though nothing of it can have been accepted before.`;
      if (answer.duplicate === false && before === 'accepted') yield `${name} was accepted as new a second time.`;
      before = 'accepted';
      const other = accepted.get(answer.messageId);
      if (other !== message && other)
        yield `${name} was answered with the id of ${nameOf(other)}: ${answer.messageId}.`;
    }
  }
};

/** What was refused, each time it was sent, never runs (G8). */
export const refusedLeavesNothing: Clause = function* ({ sent, history }) {
  for (const message of sent) {
    if (!message.sendings.every(({ answer }) => isCertainNo(answer))) continue;
    if (history.calls.some(({ text }) => text === message.text)) yield `${nameOf(message)} was refused, and runs.`;
  }
};

/** Every answer is a yes, or a no that says when to come back; never a fault of the broker. */
export const clearAnswers: Clause = function* ({ sent, history }) {
  for (const message of sent) {
    for (const { answer } of message.sendings) {
      if (answer.type === 'refused' && !REFUSALS.has(answer.status))
        yield `${nameOf(message)} was answered with ${answer.status} (${answer.code}).`;
    }
  }
  for (const { listener, end, after } of history.listenings) {
    if (typeof end === 'number' && end !== 204 && end !== 503)
      yield `${listener} asked for the events after ${after} and was answered with ${end}.`;
  }
};

/** A broker without its store cannot tell whether it accepted the message; all else that refuses can. */
function isCertainNo(answer: Sending['answer']): boolean {
  return answer.type === 'refused' && answer.code !== 'store_unavailable' && answer.status !== 500;
}

function nameOf({ queue, clientMessageId }: SentMessage): string {
  return `Message "${clientMessageId}" of ${queue}`;
}
