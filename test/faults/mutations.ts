import type { ClauseName } from './checker.ts';
import { acceptedBefore, factsOf, isEnd } from './facts.ts';
import type { History, Listening, LoggedEvent, Sending, StoredMessage, WorkerCall } from './history.ts';
import { isOrphan } from './orphans.ts';

/** One fault put into a sound history, and the clause that it breaks. */
export type Mutation = {
  readonly name: string;
  readonly clause: ClauseName;
  /** The history with the fault at one of the places where it can be; undefined when there is none. */
  readonly mutate: (history: History, pick: Pick) => History | undefined;
};

/** Chooses one of several places; undefined when there is none. */
type Pick = <Place>(places: readonly Place[]) => Place | undefined;

const WORD = { name: '', data: '{"type":"progress","text":"late"}' };

/** Every way in which a history may be broken, each with the clause that must say so. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'a broker breaks',
    clause: 'brokersAreWell',
    mutate: (history) => ({ ...history, brokerFaults: ['a.1 ended with 1'] }),
  },
  {
    name: 'a message is lost',
    clause: 'endedOnce',
    mutate: (history, pick) => atMessage(history, pick(history.messages), () => []),
  },
  {
    name: 'a message does not end',
    clause: 'endedOnce',
    mutate: (history, pick) =>
      atLog(history, pick(history.messages), (log) => log.slice(0, -1), { status: 'processing' }),
  },
  {
    name: 'a message ends twice',
    clause: 'endedOnce',
    mutate: (history, pick) => atLog(history, pick(history.messages), (log) => [...log, ...log.slice(-1)]),
  },
  {
    name: 'a message has another status than its end',
    clause: 'endedOnce',
    mutate: (history, pick) => atLog(history, pick(history.messages), (log) => log, { status: 'expired' }),
  },
  {
    name: 'a message ends with the end of another',
    clause: 'endedOnce',
    mutate: (history, pick) => {
      const message = pick(history.messages);
      const other = pick(history.messages.filter(({ status }) => status === message?.status).toReversed());
      if (!message || !other || message === other) return undefined;
      return atLog(history, message, (log) => [...log.slice(0, -1), ...other.log.slice(-1)]);
    },
  },
  {
    name: 'a log goes on after the end',
    clause: 'nothingAfterTheEnd',
    mutate: (history, pick) => atLog(history, pick(history.messages), (log) => [...log, WORD]),
  },
  {
    name: 'a listener is told more after the end',
    clause: 'nothingAfterTheEnd',
    mutate: (history, pick) =>
      atListening(history, pick(history.listenings.filter(sawEnd)), ({ events }) => ({
        events: [...events, { id: undefined, ...WORD }],
      })),
  },
  {
    name: 'a queue still lists a message',
    clause: 'nothingLeft',
    mutate: (history, pick) => {
      const message = pick(history.messages);
      return message && { ...history, left: { ...history.left, messageIds: [message.messageId] } };
    },
  },
  {
    name: 'the store counts a message that has ended',
    clause: 'nothingLeft',
    mutate: (history) => ({ ...history, left: { ...history.left, processing: 1 } }),
  },
  {
    name: 'an attempt is skipped',
    clause: 'attemptsCountUp',
    mutate: (history, pick) =>
      atLog(history, pick(history.messages.filter(wasTried)), (log) =>
        log.map((event) => (event.name === 'processing' ? renumbered(event, 1) : event)),
      ),
  },
  {
    name: 'an attempt begins unannounced',
    clause: 'attemptsCountUp',
    mutate: (history, pick) =>
      atLog(history, pick(history.messages.filter(wasRetried)), (log) =>
        log.filter(({ name }, index) => index !== log.findIndex((event) => event.name === 'retrying') || name === ''),
      ),
  },
  {
    name: 'the log does not know an attempt that was called',
    clause: 'attemptsCountUp',
    mutate: (history, pick) => atCall(history, pick(history.calls), ({ attempt = 0 }) => ({ attempt: attempt + 1000 })),
  },
  {
    name: 'a log does not begin with queued',
    clause: 'attemptsCountUp',
    mutate: (history, pick) => atLog(history, pick(history.messages), (log) => log.slice(1)),
  },
  {
    name: 'an event is of another message',
    clause: 'attemptsCountUp',
    mutate: (history, pick) =>
      atLog(history, pick(history.messages), ([first, ...rest]) =>
        first ? [{ ...first, data: first.data.replace('"id-', '"other-') }, ...rest] : rest,
      ),
  },
  {
    name: 'an attempt that was taken over writes into the next one',
    clause: 'noStaleWrite',
    mutate: (history, pick) => {
      const stale = pick(history.calls.filter((call) => call.sent.length && isVoid(history, call)));
      const message = history.messages.find(({ messageId }) => messageId === stale?.messageId);
      return atLog(history, message, (log) =>
        log.toSpliced(-1, 0, ...(stale?.sent ?? []).map((data) => ({ name: '', data }))),
      );
    },
  },
  {
    name: 'an attempt that was taken over writes before the next one begins',
    clause: 'noStaleWrite',
    mutate: (history, pick) =>
      atLog(history, pick(history.messages.filter(wasRetried)), (log) =>
        log.flatMap((event) => (event.name === 'retrying' ? [event, WORD] : [event])),
      ),
  },
  {
    name: 'two words of the worker change places',
    clause: 'noStaleWrite',
    mutate: (history, pick) => {
      const message = pick(history.messages.filter(({ log }) => log.at(-2)?.name === '' && log.at(-3)?.name === ''));
      return atLog(history, message, (log) => [
        ...log.slice(0, -3),
        ...log.slice(-3, -1).toReversed(),
        ...log.slice(-1),
      ]);
    },
  },
  {
    name: "a word of the worker's last attempt is lost",
    clause: 'wholeAnswer',
    mutate: (history, pick) =>
      atLog(history, pick(history.messages.filter(isCompleted)), (log) => log.toSpliced(-2, 1)),
  },
  {
    name: 'a message completes though its worker has not said so',
    clause: 'wholeAnswer',
    mutate: (history, pick) => {
      const message = pick(history.messages.filter((one) => !isCompleted(one)));
      const done = { name: 'done', data: `{"message_id":"${message?.messageId}","status":"completed"}` };
      return atLog(history, message, (log) => [...log.slice(0, -1), done], { status: 'completed' });
    },
  },
  {
    name: 'a message fails though its worker completed it',
    clause: 'answersAreKept',
    mutate: (history, pick) => {
      const message = pick(history.messages.filter(isCompleted));
      const error = { name: 'error', data: `{"message_id":"${message?.messageId}","status":"failed"}` };
      return atLog(history, message, (log) => [...log.slice(0, -1), error], { status: 'failed' });
    },
  },
  {
    name: 'two messages are called in the wrong order',
    clause: 'orderOfAcceptance',
    mutate: (history, pick) => {
      const two = pick(inTurn(history));
      return two && exchanged(history, two);
    },
  },
  {
    name: 'two calls of a queue overlap',
    clause: 'oneCallAtATime',
    mutate: (history, pick) => {
      const [earlier, later] = pick(inTurn(history)) ?? [];
      return later && atCall(history, earlier, () => ({ endedAt: later.startedAt + 0.5 }));
    },
  },
  {
    name: 'a call is open beside the next one though nothing happened to its broker',
    clause: 'oneCallAtATime',
    mutate: (history, pick) => {
      const call = pick(lasting(history));
      return call && { ...history, disturbances: history.disturbances.filter(({ broker }) => broker !== call.broker) };
    },
  },
  {
    name: 'a call is open beside the next one though its broker was away for less than its lease',
    clause: 'oneCallAtATime',
    mutate: (history, pick) => {
      const killed = new Set(history.disturbances.flatMap(({ kind, broker }) => (kind === 'killed' ? broker : [])));
      const call = pick(lasting(history).filter(({ broker }) => !killed.has(broker)));
      const disturbances = history.disturbances.map((disturbance) =>
        disturbance.broker === call?.broker ? { ...disturbance, toMs: disturbance.fromMs + 300 } : disturbance,
      );
      return call && { ...history, disturbances };
    },
  },
  {
    name: 'a call says what nobody sent',
    clause: 'noForeignCall',
    mutate: (history, pick) => atCall(history, pick(history.calls), () => ({ text: 'something else' })),
  },
  {
    name: 'a call is of another queue',
    clause: 'noForeignCall',
    mutate: (history, pick) => atCall(history, pick(history.calls), () => ({ queue: 'somebody else' })),
  },
  {
    name: 'a call has no id',
    clause: 'noForeignCall',
    mutate: (history, pick) => atCall(history, pick(history.calls), () => ({ messageId: undefined })),
  },
  {
    name: 'a call has an id that its client does not know',
    clause: 'noForeignCall',
    mutate: (history, pick) => atCall(history, pick(history.calls), () => ({ messageId: 'unheard of' })),
  },
  {
    name: 'a message sent twice runs twice',
    clause: 'runsOnce',
    mutate: (history, pick) => {
      const call = pick(history.calls);
      return call && { ...history, calls: [...history.calls, { ...call, ...after(history), messageId: 'again' }] };
    },
  },
  {
    name: 'an attempt is called twice',
    clause: 'runsOnce',
    mutate: (history, pick) => {
      const call = pick(history.calls);
      return call && { ...history, calls: [...history.calls, { ...call, ...after(history) }] };
    },
  },
  {
    name: 'a call is never over',
    clause: 'callsAreOver',
    mutate: (history, pick) => atCall(history, pick(history.calls), () => ({ endedAt: undefined })),
  },
  {
    name: 'a message sent twice is accepted twice',
    clause: 'acceptedOnce',
    mutate: (history, pick) => {
      const sending = pick(history.sendings.filter(isAccepted));
      const answer = { type: 'accepted', messageId: 'another', duplicate: undefined } as const;
      return sending && { ...history, sendings: [...history.sendings, { ...sending, answer }] };
    },
  },
  {
    name: 'a message sent twice is called new twice',
    clause: 'acceptedOnce',
    mutate: (history, pick) => {
      const sending = pick(history.sendings.filter(isAccepted));
      if (sending?.answer.type !== 'accepted') return undefined;
      const answer = { ...sending.answer, duplicate: false };
      return { ...history, sendings: [...history.sendings, { ...sending, answer }] };
    },
  },
  {
    name: 'a message sent for the first time is called a duplicate',
    clause: 'acceptedOnce',
    mutate: (history, pick) => {
      const first = factsOf(history).sent.flatMap(({ sendings }) => sendings.slice(0, 1));
      const sending = pick(first.filter(isAccepted));
      return atSending(history, sending, ({ answer }) => ({ ...answer, duplicate: true }));
    },
  },
  {
    name: 'a message is answered with the id of another',
    clause: 'acceptedOnce',
    mutate: (history, pick) => {
      const [one, ...others] = factsOf(history).accepted;
      const [id] = one ?? [];
      const sending = pick(
        history.sendings.filter((other) => isAccepted(other) && others.some(([, { text }]) => text === other.text)),
      );
      return atSending(history, sending, ({ answer }) => (id ? { ...answer, messageId: id } : answer));
    },
  },
  {
    name: 'a message that was refused runs',
    clause: 'refusedLeavesNothing',
    mutate: (history, pick) => {
      const call = pick(history.calls);
      const answer = { type: 'refused', status: 429, code: 'queue_full' } as const;
      const sendings = history.sendings.map((sending) =>
        sending.text === call?.text ? { ...sending, answer } : sending,
      );
      return call && { ...history, sendings };
    },
  },
  {
    name: 'a client is answered with a fault of the broker',
    clause: 'clearAnswers',
    mutate: (history, pick) => {
      const sending = pick(history.sendings);
      return atSending(history, sending, () => ({ type: 'refused', status: 500, code: 'internal_error' }));
    },
  },
  {
    name: 'a listener is told that its message is unknown',
    clause: 'clearAnswers',
    mutate: (history, pick) => atListening(history, pick(history.listenings), () => ({ events: [], end: 404 })),
  },
  {
    name: 'a message is cancelled that nobody wanted to be',
    clause: 'cancelledOnPurpose',
    mutate: (history, pick) => {
      const message = pick(history.messages.filter(isCancelled));
      return message && { ...history, cancellings: [], sendings: history.sendings.map(interruptsNothing) };
    },
  },
  {
    name: 'a message is cancelled by one that was accepted before it',
    clause: 'cancelledOnPurpose',
    mutate: (history, pick) => {
      const urgent = pick(history.sendings.filter(({ interrupts }) => interrupts));
      const rest = history.sendings.filter((sending) => sending !== urgent).map(interruptsNothing);
      return urgent && { ...history, cancellings: [], sendings: [urgent, ...rest] };
    },
  },
  {
    name: 'a message is said to be cancelled and is not',
    clause: 'cancelledAsSaid',
    mutate: (history, pick) => {
      const message = pick(history.messages.filter((one) => !isCancelled(one)));
      return message && saidToBeCancelled(history, message, after(history).startedMs);
    },
  },
  {
    name: 'to cancel a message is answered with a fault of the broker',
    clause: 'cancelledAsSaid',
    mutate: (history, pick) => {
      const one = pick(history.cancellings);
      return one && { ...history, cancellings: [...history.cancellings, { ...one, answer: { status: 500 } }] };
    },
  },
  {
    name: 'a message is called after it was said to be cancelled',
    clause: 'noCallAfterCancelling',
    mutate: (history, pick) => {
      const called = history.messages.filter(
        ({ messageId }) => history.calls.findLast((call) => call.messageId === messageId)?.broker === 'a.1',
      );
      const message = pick(called.filter(isCancelled));
      return message && saidToBeCancelled(history, message, -1);
    },
  },
  {
    name: 'a message runs that waited in a queue which was cleared',
    clause: 'clearedAsSaid',
    mutate: (history, pick) => {
      const first = pick(history.calls.filter(isFirstAndWell));
      const second = history.calls.find(
        (call) => isFirstAndWell(call) && call !== first && call.queue === first?.queue,
      );
      if (!first || !second) return undefined;
      const { queue } = first;
      const cleared = { queue, messageId: undefined, sentMs: 0, answer: { status: 200 }, answeredMs: 0 };
      const sendings = history.sendings.map((sending) => ({ ...sending, answeredMs: 0 }));
      return { ...history, sendings, cancellings: [...history.cancellings, cleared] };
    },
  },
  {
    name: 'a message runs that was interrupted',
    clause: 'interruptedAsSaid',
    mutate: (history, pick) => {
      const urgent = pick(
        history.sendings.filter(({ interrupts, answer }) => interrupts && answer.type === 'accepted'),
      );
      const before = history.sendings.find(
        (sending) =>
          sending.queue === urgent?.queue &&
          sending.answer.type === 'accepted' &&
          history.sendings.indexOf(sending) < history.sendings.indexOf(urgent) &&
          history.messages.some(({ messageId, status }) => status !== 'cancelled' && isOf(sending, messageId)) &&
          history.calls.findLast(({ text }) => text === sending.text)?.broker === 'a.1',
      );
      const call = history.calls.findLast(({ text }) => text === before?.text);
      if (!call) return undefined;
      const { startedMs, endedMs } = after(history);
      return { ...history, calls: history.calls.map((one) => (one === call ? { ...one, startedMs, endedMs } : one)) };
    },
  },
  {
    name: 'a listener misses an event',
    clause: 'gapless',
    mutate: (history, pick) =>
      atListening(history, pick(history.listenings.filter(sawSome)), ({ events }) => ({
        events: events.toSpliced(events.findIndex(isStored), 1),
      })),
  },
  {
    name: 'a listener is told an event twice',
    clause: 'gapless',
    mutate: (history, pick) =>
      atListening(history, pick(history.listenings.filter(sawSome)), ({ events }) => ({
        events: events.flatMap((event) => (isStored(event) ? [event, event] : [event])),
      })),
  },
  {
    name: 'a listener is told something else than the log',
    clause: 'oneSequence',
    mutate: (history, pick) =>
      atListening(history, pick(history.listenings.filter(sawSome)), ({ events }) => ({
        events: events.map((event) => (isStored(event) ? { ...event, data: `${event.data} ` } : event)),
      })),
  },
  {
    name: 'two listeners of a message that is gone differ',
    clause: 'oneSequence',
    mutate: (history, pick) => {
      const whole = pick(history.listenings.filter((one) => sawEnd(one) && sawSome(one)));
      const differs = {
        ...whole,
        listener: 'another',
        events: whole?.events.map((event) => ({ ...event, name: 'x' })),
      };
      const message = history.messages.find(({ messageId }) => messageId === whole?.messageId);
      const lost = atMessage(history, message, () => []);
      if (!lost || !whole || !differs.events) return undefined;
      return { ...lost, listenings: [...lost.listenings, { ...whole, ...differs, events: differs.events }] };
    },
  },
  {
    name: 'a listener is told an event that the log does not have',
    clause: 'oneSequence',
    mutate: (history, pick) =>
      atListening(history, pick(history.listenings.filter(sawEnd)), ({ events }) => ({
        events: [...events, { id: (events.at(-1)?.id ?? 0) + 1, ...WORD }],
      })),
  },
  {
    name: 'a listener comes back for something else than it lacks',
    clause: 'resumedExactly',
    mutate: (history, pick) =>
      atListening(history, pick(history.listenings), ({ after: from }) => ({ after: from + 1 })),
  },
  {
    name: 'a listener is sent away before the end',
    clause: 'resumedExactly',
    mutate: (history, pick) =>
      atListening(history, pick(history.listenings.filter(sawEnd)), () => ({ events: [], end: 204 })),
  },
  {
    name: 'a listener that has all is told once more',
    clause: 'resumedExactly',
    mutate: (history, pick) =>
      atListening(history, pick(history.listenings.filter(({ end }) => end === 204)), () => ({ end: 'closed' })),
  },
  {
    name: 'a listener is left waiting',
    clause: 'nobodyLeftWaiting',
    mutate: (history, pick) =>
      atListening(history, pick(history.listenings.filter(sawEnd)), ({ events }) => ({
        events: events.slice(0, -1),
        end: 'waiting',
      })),
  },
];

function atMessage(
  history: History,
  message: StoredMessage | undefined,
  change: (message: StoredMessage) => StoredMessage[],
): History | undefined {
  if (!message) return undefined;
  return { ...history, messages: history.messages.flatMap((one) => (one === message ? change(one) : [one])) };
}

function atLog(
  history: History,
  message: StoredMessage | undefined,
  change: (log: readonly LoggedEvent[]) => readonly LoggedEvent[],
  more: Partial<StoredMessage> = {},
): History | undefined {
  return atMessage(history, message, (one) => [{ ...one, ...more, log: change(one.log) }]);
}

function atCall(
  history: History,
  call: WorkerCall | undefined,
  change: (call: WorkerCall) => Partial<WorkerCall>,
): History | undefined {
  if (!call) return undefined;
  return { ...history, calls: history.calls.map((one) => (one === call ? { ...one, ...change(one) } : one)) };
}

function atListening(
  history: History,
  listening: Listening | undefined,
  change: (listening: Listening) => Partial<Listening>,
): History | undefined {
  if (!listening) return undefined;
  const listenings = history.listenings.map((one) => (one === listening ? { ...one, ...change(one) } : one));
  return { ...history, listenings };
}

function atSending(
  history: History,
  sending: Sending | undefined,
  change: (sending: Sending) => Sending['answer'],
): History | undefined {
  if (!sending) return undefined;
  const sendings = history.sendings.map((one) => (one === sending ? { ...one, answer: change(one) } : one));
  return { ...history, sendings };
}

/** Two calls, one after the other, of different messages of a queue; both made by brokers that were well. */
function inTurn(history: History): [WorkerCall, WorkerCall][] {
  const facts = factsOf(history);
  return [...facts.callsIn.values()].flatMap((calls) =>
    calls.flatMap((later, index): [WorkerCall, WorkerCall][] => {
      const earlier = calls[index - 1];
      const first = facts.accepted.get(earlier?.messageId ?? '');
      const second = facts.accepted.get(later.messageId ?? '');
      if (!earlier || !first || !second || first === second || !acceptedBefore(first, second)) return [];
      const orphaned = [earlier, later].some((call) => isOrphan(call, Infinity, facts));
      return orphaned ? [] : [[earlier, later]];
    }),
  );
}

/** The history with two calls each in the place of the other. */
function exchanged(history: History, [one, other]: [WorkerCall, WorkerCall]): History {
  const placeOf = ({ startedAt, endedAt, startedMs, endedMs }: WorkerCall) => ({
    startedAt,
    endedAt,
    startedMs,
    endedMs,
  });
  const calls = history.calls.map((call) => {
    if (call === one) return { ...other, ...placeOf(one) };
    return call === other ? { ...one, ...placeOf(other) } : call;
  });
  return { ...history, calls };
}

/** Calls that were open when another of their queue began, as their broker could not help. */
function lasting(history: History): WorkerCall[] {
  return history.calls.filter(({ queue, startedAt, endedAt = Infinity }) =>
    history.calls.some((other) => other.queue === queue && startedAt < other.startedAt && other.startedAt < endedAt),
  );
}

/** A place in time after all else. */
function after(history: History) {
  const at = Math.max(0, ...history.calls.map(({ endedAt = 0 }) => endedAt));
  const ms = Math.max(0, ...history.calls.map(({ endedMs = 0 }) => endedMs));
  return { startedAt: at + 1, endedAt: at + 2, startedMs: ms + 1, endedMs: ms + 2 };
}

function renumbered(event: LoggedEvent, by: number): LoggedEvent {
  return { ...event, data: event.data.replace(/"attempt":(\d+)/, (_, n: string) => `"attempt":${Number(n) + by}`) };
}

function isVoid(history: History, call: WorkerCall): boolean {
  const log = history.messages.find(({ messageId }) => messageId === call.messageId)?.log ?? [];
  return log.filter(({ name }) => name === 'retrying').length >= (call.attempt ?? 0);
}

function wasTried({ log }: StoredMessage): boolean {
  return log.some(({ name }) => name === 'processing');
}

function wasRetried({ log }: StoredMessage): boolean {
  return log.some(({ name }) => name === 'retrying');
}

/** A client was told so at that time. */
function saidToBeCancelled(history: History, { queue, messageId }: StoredMessage, answeredMs: number): History {
  const said = { queue, messageId, sentMs: answeredMs, answer: { status: 200 }, answeredMs };
  return { ...history, cancellings: [...history.cancellings, said] };
}

function isFirstAndWell({ attempt, broker }: WorkerCall): boolean {
  return attempt === 1 && broker === 'a.1';
}

function isOf({ answer }: Sending, messageId: string): boolean {
  return answer.type === 'accepted' && answer.messageId === messageId;
}

function isCancelled({ status }: StoredMessage): boolean {
  return status === 'cancelled';
}

function interruptsNothing(sending: Sending): Sending {
  return { ...sending, interrupts: false };
}

function isCompleted({ status }: StoredMessage): boolean {
  return status === 'completed';
}

function isAccepted({ answer }: Sending): boolean {
  return answer.type === 'accepted';
}

function isStored({ id }: Listening['events'][number]): boolean {
  return id !== undefined;
}

/** Saw an event that another one follows. */
function sawSome({ events }: Listening): boolean {
  return events.filter(isStored).length > 1;
}

function sawEnd({ events }: Listening): boolean {
  return events.some(isEnd);
}
