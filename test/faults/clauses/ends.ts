import { fieldsOf, isEnd } from '../facts.ts';
import type { LoggedEvent } from '../history.ts';
import type { Clause } from './clause.ts';

/** Every accepted message has ended, once, as the store says (G2). */
export const endedOnce: Clause = function* ({ accepted, stored }) {
  for (const [id, { queue, clientMessageId }] of accepted) {
    const name = `Message "${clientMessageId}" of ${queue} (${id})`;
    const message = stored.get(id);
    if (!message) {
      yield `${name} was accepted and is gone.`;
      continue;
    }
    const ends = message.log.filter(isEnd);
    const [end] = ends;
    if (!end) yield `${name} has not ended: it is ${message.status}.`;
    else if (ends.length > 1) yield `${name} ended ${ends.length} times.`;
    else yield* contradictions(name, id, message.status, end);
  }
};

/** No event comes after the last, neither in the log nor at a listener. */
export const nothingAfterTheEnd: Clause = function* ({ stored, history }) {
  for (const { messageId, log } of stored.values()) {
    const end = log.findIndex(isEnd);
    if (end >= 0 && end < log.length - 1) yield `The log of ${messageId} goes on after its ${log[end]?.name}.`;
  }
  for (const { listener, events } of history.listenings) {
    const end = events.findIndex(isEnd);
    if (end >= 0 && end < events.length - 1) yield `${listener} was told more after ${events[end]?.name}.`;
  }
};

/** When all have ended the store lists and counts nothing any more. */
export const nothingLeft: Clause = function* ({ history: { left } }) {
  const { activeQueues, waiting, processing, messageIds } = left;
  if (messageIds.length) yield `The queues still list ${messageIds.join(', ')}.`;
  if (activeQueues || waiting || processing)
    yield `The store still counts ${activeQueues} active queues, ${waiting} waiting and ${processing} in work.`;
};

function* contradictions(name: string, id: string, status: string, end: LoggedEvent): Iterable<string> {
  const told = fieldsOf(end);
  if (told['message_id'] !== id) yield `${name} ended with the end of ${told['message_id']}.`;
  if (told['status'] !== status) yield `${name} ended as ${told['status']} and is ${status} in the store.`;
  if ((end.name === 'done') !== (told['status'] === 'completed')) yield `${name} ended with ${end.name}: ${end.data}`;
}
