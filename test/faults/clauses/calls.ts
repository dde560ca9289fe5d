import { acceptedBefore } from '../facts.ts';
import type { WorkerCall } from '../history.ts';
import { isOrphan } from '../orphans.ts';
import type { Clause } from './clause.ts';

/** Calls of a queue start in the order in which its messages were accepted (G1); see `isOrphan` for the one exception. */
export const orderOfAcceptance: Clause = function* (facts) {
  for (const [queue, calls] of facts.callsIn) {
    const inTurn = calls.filter((call) => !isOrphan(call, call.startedMs, facts));
    for (const [earlier, later] of pairs(inTurn)) {
      const [first, second] = [facts.accepted.get(earlier.messageId ?? ''), facts.accepted.get(later.messageId ?? '')];
      if (first && second && acceptedBefore(second, first))
        yield `In ${queue}, ${describe(later)} came after ${describe(earlier)}, which was accepted later.`;
    }
  }
};

/** Calls of a queue never overlap (G1): a call is open until its response is over; see `isOrphan` for the one exception. */
export const oneCallAtATime: Clause = function* (facts) {
  for (const [queue, calls] of facts.callsIn) {
    for (const [earlier, later] of pairs(calls)) {
      if (earlier.endedAt !== undefined && earlier.endedAt < later.startedAt) continue;
      if (isOrphan(earlier, later.startedMs, facts) || isOrphan(later, later.startedMs, facts)) continue;
      yield `In ${queue}, ${describe(later)} began while ${describe(earlier)} was open.`;
    }
  }
};

/** Every call carries a message that a client sent, as it sent it, under the id the client knows. */
export const noForeignCall: Clause = function* ({ history, sent, accepted }) {
  const texts = new Map(sent.map((message) => [message.text, message]));
  for (const call of history.calls) {
    const message = texts.get(call.text);
    if (!message) yield `Nobody sent what ${describe(call)} says: ${call.text}`;
    else if (call.queue !== message.queue)
      yield `${describe(call)} of ${call.queue} carries what ${message.queue} said.`;
    else if (!call.messageId || !call.attempt) yield `A call of ${call.queue} has no id or no attempt: ${call.text}`;
    else if (message.firstAccepted !== undefined && accepted.get(call.messageId) !== message)
      yield `${describe(call)} carries "${message.clientMessageId}", which its client knows under another id.`;
  }
};

/** A message runs once, however often it was sent: under one id, and each of its attempts is called once. */
export const runsOnce: Clause = function* ({ history, callsOf }) {
  for (const [text, calls] of Map.groupBy(history.calls, (call) => call.text)) {
    const ids = new Set(calls.map(({ messageId }) => messageId));
    if (ids.size > 1) yield `One message runs ${ids.size} times, as ${[...ids].join(', ')}: ${text}`;
  }
  for (const [id, calls] of callsOf) {
    const attempts = calls.map(({ attempt }) => attempt);
    const again = attempts.find((attempt, index) => attempts.indexOf(attempt) < index);
    if (again !== undefined) yield `Attempt ${again} of ${id} was called more than once.`;
  }
};

/** No call is left open when all has ended. */
export const callsAreOver: Clause = function* ({ history }) {
  for (const call of history.calls) if (call.endedAt === undefined) yield `${describe(call)} was never let go.`;
};

function describe({ messageId, attempt, broker }: WorkerCall): string {
  return `the call of ${messageId}, attempt ${attempt}, by ${broker}`;
}

function* pairs<Item>(items: readonly Item[]): Iterable<[earlier: Item, later: Item]> {
  for (const [index, later] of items.entries()) {
    for (const earlier of items.slice(0, index)) yield [earlier, later];
  }
}
