import {
  type Cancelling,
  type Disturbance,
  FOREVER,
  type History,
  type Listening,
  type LoggedEvent,
  type SeenEvent,
  type Sending,
  type WorkerCall,
} from './history.ts';

/** A history in outline: what happened to each message of each queue. `historyOf` tells it in full, without a fault. */
export type Outline = readonly (readonly MessageOutline[])[];

export type MessageOutline = {
  /** What came of its sendings before the one that was accepted. */
  readonly before: readonly ('refused' | 'no store' | 'unknown')[];
  /** Its client gave up on it, and learned that it was accepted when all else was sent; it may run as late as that. */
  readonly givenUp: boolean;
  /** How often it was sent again after that. */
  readonly again: number;
  /** Its attempts but the last. */
  readonly attempts: readonly AttemptOutline[];
  /** How much the worker said in the last one, before it was complete or broke off. */
  readonly words: number;
  readonly completed: boolean;
  /** It is cancelled instead: while it waits or at its last attempt, because its client asked for it in this way. */
  readonly cancelled:
    | undefined
    | { readonly running: boolean; readonly by: 'its id' | 'its queue' | 'another message' };
  readonly listeners: readonly ListenerOutline[];
};

export type AttemptOutline = {
  readonly how: 'refused' | 'killed before the call' | 'killed' | 'frozen' | 'cut off';
  /** How much the worker said, and how much of it came into the log. */
  readonly words: number;
  readonly logged: number;
  /** Still open at the worker when the next call begins. */
  readonly lasting: boolean;
};

export type ListenerOutline = {
  /** How many events each connection brought that ended early, and how it ended. */
  readonly early: readonly { readonly events: number; readonly end: 'closed' | 'left' | 'broken' | 503 }[];
  /** Comes back until it has the end; otherwise it stays away. */
  readonly stays: boolean;
  /** Asks once more when it has all. */
  readonly asksOnceMore: boolean;
  /** Is told its place and that the worker lives, in passing. */
  readonly passing: boolean;
};

const INTERRUPTING: MessageOutline = {
  before: [],
  givenUp: false,
  again: 0,
  attempts: [],
  words: 1,
  completed: true,
  cancelled: undefined,
  listeners: [],
};
const LEASE_MS = 1000;
const WELL = 'a.1';

type Draft = {
  readonly sendings: Sending[];
  readonly cancellings: Cancelling[];
  readonly listenings: Listening[];
  readonly calls: WorkerCall[];
  readonly disturbances: Disturbance[];
  readonly messages: { queue: string; messageId: string; status: string; log: LoggedEvent[] }[];
  ms: number;
  at: number;
  /** Ends the call of an attempt that was taken over while it was open. */
  endLasting: (() => void) | undefined;
};

/** Tells an outline in full. */
export function historyOf(outline: Outline): History {
  const draft: Draft = {
    sendings: [],
    cancellings: [],
    listenings: [],
    calls: [],
    disturbances: [],
    messages: [],
    ms: 0,
    at: 0,
    endLasting: undefined,
  };
  for (const [q, messages] of outline.entries()) {
    const late: (() => void)[] = [];
    for (const [m, message] of messages.entries()) {
      const name = `${q}-${m}`;
      sendInVain(draft, `user-${q}`, name, message);
      const goOn = () => tell(draft, `user-${q}`, name, message);
      if (message.givenUp) late.push(goOn);
      else goOn();
    }
    for (const goOn of late) goOn();
    draft.endLasting?.();
  }
  const { sendings, cancellings, listenings, calls, disturbances, messages } = draft;
  const left = { activeQueues: 0, waiting: 0, processing: 0, messageIds: [] };
  calls.sort((a, b) => a.startedAt - b.startedAt);
  return {
    leaseMs: LEASE_MS,
    sendings,
    cancellings,
    listenings,
    calls,
    disturbances,
    brokerFaults: [],
    workerOutages: [],
    messages,
    left,
  };
}

function tell(draft: Draft, queue: string, name: string, outline: MessageOutline): void {
  const messageId = `id-${name}`;
  send(draft, queue, name, messageId, outline);
  const log: LoggedEvent[] = [event('queued', messageId, { queue_position: 1 })];
  if (outline.cancelled?.running !== false) log.push(...tryAll(draft, queue, messageId, outline));
  if (outline.cancelled) {
    cancelled(draft, queue, name, log, outline);
    return;
  }
  log.push(theEnd(messageId, outline.completed));
  ended(draft, { queue, messageId, status: outline.completed ? 'completed' : 'failed', log }, outline);
}

/** All attempts of a message; answers what of them is in the log. */
function tryAll(draft: Draft, queue: string, messageId: string, outline: MessageOutline): LoggedEvent[] {
  const log = [event('processing', messageId, { attempt: 1 })];
  for (const [index, attempt] of outline.attempts.entries()) {
    const said = tryOnce(draft, queue, messageId, index + 1, attempt);
    log.push(...said, event('retrying', messageId, { attempt: index + 2, reason: attempt.how }));
    log.push(event('processing', messageId, { attempt: index + 2 }));
  }
  const last = outline.attempts.length + 1;
  const said = words(messageId, last, outline.words);
  if (outline.completed && !outline.cancelled)
    said.push(`{"type":"complete","response":{"responses":["${messageId}"]}}`);
  begin(draft, queue, messageId, last, WELL, said, outline.cancelled !== undefined)();
  return [...log, ...said.map((data) => ({ name: '', data }))];
}

function ended(draft: Draft, message: Draft['messages'][number], { listeners }: MessageOutline): void {
  const { queue, messageId, log } = message;
  draft.messages.push(message);
  for (const [index, listener] of listeners.entries())
    listen(draft, { listener: `listener ${index} of ${messageId}`, queue, messageId }, log, listener);
}

/** The end of a message that is cancelled, and the request for it. */
function cancelled(
  draft: Draft,
  queue: string,
  name: string,
  log: readonly LoggedEvent[],
  outline: MessageOutline,
): void {
  const messageId = `id-${name}`;
  const fields = { status: 'cancelled', code: 'cancelled', error: 'It was cancelled.' };
  ended(draft, { queue, messageId, status: 'cancelled', log: [...log, event('error', messageId, fields)] }, outline);
  if (outline.cancelled?.by === 'another message') {
    tell(draft, queue, `${name}-urgent`, INTERRUPTING);
    return;
  }
  const target = outline.cancelled?.by === 'its id' ? messageId : undefined;
  for (const answer of [undefined, { status: 503 }, { status: 200 }])
    draft.cancellings.push({ queue, messageId: target, sentMs: ++draft.ms, answer, answeredMs: ++draft.ms });
}

function sendInVain(draft: Draft, queue: string, name: string, { before, givenUp }: MessageOutline): void {
  for (const came of givenUp ? [...before, 'unknown' as const] : before) {
    const [status, code] = came === 'refused' ? [429, 'queue_full'] : [503, 'store_unavailable'];
    const answer = came === 'unknown' ? ({ type: came } as const) : ({ type: 'refused', status, code } as const);
    draft.sendings.push({
      queue,
      clientMessageId: name,
      text: `text of ${name}`,
      interrupts: false,
      answer,
      answeredMs: ++draft.ms,
    });
  }
}

function send(draft: Draft, queue: string, name: string, messageId: string, outline: MessageOutline): void {
  const isNew = !outline.givenUp && outline.before.every((came) => came === 'refused');
  for (let n = 0; n <= outline.again; n += 1) {
    const duplicate = n > 0 ? true : isNew ? false : undefined;
    const answer = { type: 'accepted', messageId, duplicate } as const;
    const interrupts = name.endsWith('-urgent');
    draft.sendings.push({
      queue,
      clientMessageId: name,
      text: `text of ${name}`,
      interrupts,
      answer,
      answeredMs: ++draft.ms,
    });
  }
}

/** An attempt that came to nothing; answers what of it is in the log. */
function tryOnce(
  draft: Draft,
  queue: string,
  messageId: string,
  attempt: number,
  outline: AttemptOutline,
): LoggedEvent[] {
  const { how } = outline;
  if (how === 'killed before the call') return [];
  if (how === 'refused') {
    begin(draft, queue, messageId, attempt, WELL, [], false)();
    return [];
  }
  const broker = `b.${draft.at}`;
  const said = words(messageId, attempt, outline.words);
  const end = begin(draft, queue, messageId, attempt, broker, said, true);
  draft.disturbances.push({ broker, kind: how, fromMs: draft.ms, toMs: how === 'killed' ? FOREVER : draft.ms + 3000 });
  draft.ms += 2000;
  if (outline.lasting) draft.endLasting = end;
  else end();
  return said.slice(0, Math.min(outline.logged, said.length)).map((data) => ({ name: '', data }));
}

/** Begins a call; answers what ends it. */
function begin(
  draft: Draft,
  queue: string,
  messageId: string,
  attempt: number,
  broker: string,
  sent: readonly string[],
  clientGone: boolean,
): () => void {
  const text = `text of ${messageId.slice('id-'.length)}`;
  const started = { startedAt: ++draft.at, startedMs: ++draft.ms };
  draft.endLasting?.();
  draft.endLasting = undefined;
  return () => {
    const ended = { endedAt: ++draft.at, endedMs: ++draft.ms };
    draft.calls.push({
      messageId,
      attempt,
      queue,
      text,
      broker,
      ...started,
      ...ended,
      clientGone,
      goneOnArrival: false,
      sent,
    });
  };
}

function listen(
  draft: Draft,
  who: Pick<Listening, 'listener' | 'queue' | 'messageId'>,
  log: readonly LoggedEvent[],
  outline: ListenerOutline,
): void {
  const stored: SeenEvent[] = log.map((event, index) => ({ id: index + 1, ...event }));
  let after = 0;
  for (const { events, end } of outline.early) {
    const upTo = end === 503 ? after : Math.min(after + events, log.length - 1);
    draft.listenings.push({ ...who, after, events: stored.slice(after, upTo), end });
    after = upTo;
  }
  if (!outline.stays) return;
  const passing = outline.passing
    ? [
        { id: undefined, name: 'queued', data: '{}' },
        { id: undefined, name: '', data: '{"type":"keepalive"}' },
      ]
    : [];
  draft.listenings.push({ ...who, after, events: [...passing, ...stored.slice(after)], end: 'closed' });
  if (outline.asksOnceMore) draft.listenings.push({ ...who, after: log.length, events: [], end: 204 });
}

function words(messageId: string, attempt: number, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `{"type":"progress","text":"${messageId} ${attempt} ${n}"}`);
}

function theEnd(messageId: string, completed: boolean): LoggedEvent {
  return completed
    ? event('done', messageId, { status: 'completed' })
    : event('error', messageId, { status: 'failed', code: 'worker_stream_broken', error: 'It broke.' });
}

function event(name: string, messageId: string, fields: Record<string, unknown>): LoggedEvent {
  return { name, data: JSON.stringify({ message_id: messageId, ...fields }) };
}
