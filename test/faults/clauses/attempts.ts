import { attemptsOf, numberOf } from '../attempts.ts';
import { fieldsOf, isEnd } from '../facts.ts';
import type { LoggedEvent } from '../history.ts';
import type { Clause } from './clause.ts';

/** What may come next in a log. */
type Phase = 'nothing' | 'waiting' | 'processing' | 'retrying' | 'ended';

/** A log begins with `queued`; its attempts count up by one, and every call was one of them. */
export const attemptsCountUp: Clause = function* ({ stored, callsOf }) {
  for (const { messageId, log } of stored.values()) {
    let phase: Phase = 'nothing';
    let attempt = 0;
    for (const [index, event] of log.entries()) {
      if (event.name === '') continue;
      const announced = numberOf(event);
      const fault = faultOf(event, phase, attempt, messageId);
      if (fault) yield `Event ${index + 1} of ${messageId}, ${event.name} ${event.data}: ${fault}.`;
      if (event.name === 'processing' || event.name === 'retrying') attempt = announced;
      phase = phaseAfter(event);
    }
    const known = new Set(attemptsOf(log).attempts.map(({ number }) => number));
    for (const call of callsOf.get(messageId) ?? []) {
      if (!known.has(call.attempt ?? 0))
        yield `${messageId} was called as attempt ${call.attempt}, of which its log says nothing.`;
    }
  }
};

/** Nothing a claim writes counts once it is taken over (G6): an attempt's words are what its own call said, in order. */
export const noStaleWrite: Clause = function* ({ stored, callsOf }) {
  for (const { messageId, log } of stored.values()) {
    const { attempts, strays } = attemptsOf(log);
    for (const words of strays) yield `The log of ${messageId} has words of the worker in no attempt: ${words}`;
    for (const { number, words } of attempts) {
      const sent = callsOf.get(messageId)?.find((call) => call.attempt === number)?.sent ?? [];
      const wrong = words.findIndex((word, index) => word !== sent[index]);
      if (wrong >= 0)
        yield `Attempt ${number} of ${messageId} has as its word ${wrong + 1} what its call did not say there: ${words[wrong]}`;
    }
  }
};

/** A completed message holds all that the worker said in its last attempt, up to `complete`. */
export const wholeAnswer: Clause = function* ({ stored, callsOf }) {
  for (const { messageId, status, log } of stored.values()) {
    if (status !== 'completed') continue;
    const last = attemptsOf(log).attempts.at(-1);
    const sent = callsOf.get(messageId)?.find(({ attempt }) => attempt === last?.number)?.sent;
    if (!last || !sent) yield `${messageId} completed without a call of its last attempt, ${last?.number}.`;
    else if (last.words.length < sent.length)
      yield `${messageId} completed with ${last.words.length} of ${sent.length} words of the worker.`;
    else if (!isComplete(sent.at(-1))) yield `${messageId} completed, and its worker did not say so.`;
  }
};

/** A message ends as completed when the worker said so in its last attempt to a broker that was well and listened to the end. */
export const answersAreKept: Clause = function* ({ stored, callsOf, history }) {
  for (const { messageId, status, log } of stored.values()) {
    const last = attemptsOf(log).attempts.at(-1);
    const call = callsOf.get(messageId)?.find(({ attempt }) => attempt === last?.number);
    // What is cancelled may be complete at the worker before it hears of it.
    if (status === 'completed' || status === 'cancelled' || !call || call.clientGone || !isComplete(call.sent.at(-1)))
      continue;
    const { startedMs, endedMs = startedMs } = call;
    const disturbed = history.disturbances.some(
      ({ broker, fromMs, toMs }) => broker === call.broker && fromMs <= endedMs && startedMs <= toMs,
    );
    // What a worker said in its last moment may not have left it.
    const cutOff = history.workerOutages.some(({ fromMs }) => endedMs <= fromMs && fromMs <= endedMs + history.leaseMs);
    if (!disturbed && !cutOff) yield `The worker completed ${messageId}, which nevertheless ended as ${status}.`;
  }
};

function faultOf(event: LoggedEvent, phase: Phase, attempt: number, messageId: string): string | undefined {
  const fields = fieldsOf(event);
  if (fields['message_id'] !== messageId) return 'it is of another message';
  if (phase === 'nothing') return event.name === 'queued' ? undefined : 'a log begins with queued';
  const number = numberOf(event);
  switch (event.name) {
    case 'processing':
      if (phase === 'waiting') return number === 1 ? undefined : 'the first attempt is 1';
      if (phase === 'retrying') return number === attempt ? undefined : `attempt ${attempt} was announced`;
      // Given up before its call was made, an attempt is begun again.
      if (phase === 'processing' && number === attempt) return undefined;
      return `an attempt begins in the phase "${phase}"`;
    case 'retrying':
      if (phase === 'waiting') return 'nothing was tried before';
      return number === attempt + 1 ? undefined : `the attempt before was ${attempt}`;
    case 'done':
      return phase === 'processing' ? undefined : `it completes in the phase "${phase}"`;
    case 'error':
      return fields['status'] !== 'failed' || phase === 'processing' ? undefined : `it fails in the phase "${phase}"`;
    default:
      return 'it has no place there';
  }
}

function phaseAfter(event: LoggedEvent): Phase {
  if (isEnd(event)) return 'ended';
  if (event.name === 'processing' || event.name === 'retrying') return event.name;
  return 'waiting';
}

function isComplete(word: string | undefined): boolean {
  return fieldsOf({ name: '', data: word ?? '' })['type'] === 'complete';
}
