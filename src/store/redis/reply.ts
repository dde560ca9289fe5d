import type { EndStatus } from '../../../machines/events.ts';
import { StoreUnavailable } from '../../errors.ts';
import { readTrace, type Trace } from '../../trace.ts';
import {
  type CallbackState,
  type ClaimedMessage,
  DEEDS,
  type DeadLetter,
  type DeadLetterPlace,
  type DelayedQueue,
  END_STATUSES,
  type MessageState,
  type MessageStatus,
  type Notice,
  type Renewal,
} from '../store.ts';
import { noAnswer } from './connection.ts';

const STATUSES = ['queued', 'processing'] as const;
const DELIVERY_STATUSES = ['pending', 'delivered', 'undelivered', 'silent'] as const;

/** What a script answered, looked at rather than trusted: a wrong shape is a fault of ours and says so. */
export function list(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw unexpected(reply);
}

export function text(reply: unknown): string {
  if (typeof reply === 'string') return reply;
  throw unexpected(reply);
}

export function integer(reply: unknown): number {
  const number = typeof reply === 'string' ? Number(reply) : reply;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  throw unexpected(reply);
}

/** The elements of a flat list two by two. */
export function pairs<Pair>(reply: unknown, pair: (first: unknown, second: unknown) => Pair): Pair[] {
  const flat = list(reply);
  const result: Pair[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) result.push(pair(flat[i], flat[i + 1]));
  return result;
}

/** Tells its shape only: errors are logged, and it may hold what people wrote. */
export function unexpected(reply: unknown): TypeError {
  return new TypeError(`Redis gave an unexpected answer: ${shapeOf(reply)}`);
}

function shapeOf(reply: unknown): string {
  if (Array.isArray(reply)) return `a list of ${reply.length}`;
  return typeof reply === 'string' ? `a text of ${reply.length} characters` : reply === null ? 'null' : typeof reply;
}

/** A claim as `claimed` in parts/claimed.lua writes it, and how many events were just written for it. */
export function claimOf(queue: string, reply: unknown): { claim: ClaimedMessage; written: number } {
  const said = text(reply);
  const line = said.indexOf('\n');
  const parts: unknown = JSON.parse(said.slice(0, line));
  const [messageId, token, attempt, last, waitedMs, written, trace, url, from] = list(parts);
  const claim = {
    queue,
    messageId: text(messageId),
    token: integer(token),
    attempt: integer(attempt),
    payload: said.slice(line + 1),
    trace: traceIn(trace),
    last: integer(last),
    waitedMs: integer(waitedMs),
    callback: url ? { url: text(url), from: from === 'start' ? ('start' as const) : ('end' as const) } : undefined,
  };
  return { claim, written: integer(written) };
}

/** What `parts/notice.lua` tells of what was done to messages of a queue. */
export function noticesOf(queue: string, by: string | undefined, reply: unknown): Notice[] {
  return list(reply).map((one) => {
    const [messageId, done, attempt, trace] = list(one);
    const deed = DEEDS.find((known) => known === done);
    if (!deed) throw unexpected(done);
    return { queue, messageId: text(messageId), deed, attempt: integer(attempt), trace: traceIn(trace), by };
  });
}

/** What is stored of a message's trace. */
export function traceIn(reply: unknown): Trace {
  return readTrace(reply ? text(reply) : '');
}

/** Where a dead letter is, and of which kind. */
type DeadLetterMember = DeadLetterPlace & Pick<DeadLetter, 'kind'>;

/** What `dead.lua` answers. */
export function deadLetterPlacesOf(reply: unknown): DeadLetterMember[] {
  return pairs(reply, (member, endedAt) => {
    const messageId = text(member).replace(/^callback:/, '');
    return { kind: messageId === member ? 'message' : 'callback', messageId, endedAt: integer(endedAt) };
  });
}

/** What a dead letter tells of its message. */
export const DEAD_LETTER_FIELDS = [
  'queue',
  'queued_at',
  'status',
  'attempts',
  'code',
  'error',
  'callback_status',
  'callback_attempts',
  'callback_error',
] as const;

/** The dead letter, given those fields; undefined when it is none any more. */
export function deadLetterOf({ kind, messageId, endedAt }: DeadLetterMember, fields: unknown): DeadLetter | undefined {
  const [queue, queuedAt, status, attempts, code, error, ...callback] = list(fields);
  const of = { messageId, endedAt, queue: text(queue ?? ''), queuedAt: integer(queuedAt ?? 0) };
  if (kind === 'message') {
    if (status !== 'failed') return undefined;
    return { kind, ...of, attempts: integer(attempts), code: text(code), error: text(error) };
  }
  if (callback[0] !== 'undelivered') return undefined;
  const { attempts: tries, error: reason } = callbackOf(callback);
  return { kind, ...of, attempts: tries, code: 'callback_undelivered', error: reason };
}

/** What `delayed.lua` answers. */
export function delayedOf(reply: unknown): DelayedQueue[] {
  const flat = list(reply);
  const queues: DelayedQueue[] = [];
  for (let i = 0; i < flat.length; i += 3) {
    queues.push({ queue: text(flat[i]), waitMs: integer(flat[i + 1]), length: integer(flat[i + 2]) });
  }
  return queues;
}

/** What `renew.lua` answers. */
export function renewalOf(reply: unknown): Renewal {
  const renewal = (['lost', 'renewed', 'cancelled'] as const)[integer(reply)];
  if (!renewal) throw unexpected(reply);
  return renewal;
}

export function statusOf(reply: unknown): MessageStatus {
  return STATUSES.find((known) => known === reply) ?? endStatusOf(reply);
}

export function endStatusOf(reply: unknown): EndStatus {
  const status = END_STATUSES.find((known) => known === reply);
  if (!status) throw unexpected(reply);
  return status;
}

/** What `message.lua` answers. */
export function messageOf(id: string, reply: unknown): MessageState {
  const [status, position, attempts, queuedAt, last, startedAt, endedAt, code, error, ...callback] = list(reply);
  return {
    id,
    status: statusOf(status),
    position: integer(position),
    attempts: integer(attempts),
    queuedAt: integer(queuedAt),
    startedAt: startedAt ? integer(startedAt) : undefined,
    endedAt: endedAt ? integer(endedAt) : undefined,
    failure: code ? { code: text(code), error: text(error) } : undefined,
    last: integer(last),
    callback: callback[0] ? callbackOf(callback) : undefined,
  };
}

function callbackOf([status, attempts, error]: readonly unknown[]): CallbackState {
  const known = DELIVERY_STATUSES.find((one) => one === status);
  if (!known) throw unexpected(status);
  return { status: known, attempts: integer(attempts ?? 0), error: error ? text(error) : '' };
}

/** What is wrong with the connection, if that is known. */
type Fault = () => Error | undefined;
const unknown: Fault = () => undefined;

/** What each part of the store answered, undefined where it did not within the time there is. Throws StoreUnavailable if none did. */
export async function answersOf(
  asked: readonly Promise<unknown>[],
  withinMs: number,
  fault: Fault = unknown,
): Promise<readonly unknown[]> {
  const settled = await Promise.allSettled(eachInTime(asked, withinMs, fault));
  const refused = settled.filter(({ status }) => status === 'rejected');
  const [first] = refused;
  if (first?.status === 'rejected' && refused.length === settled.length) throw first.reason;
  return settled.map((answer) => (answer.status === 'fulfilled' ? answer.value : undefined));
}

/** What all parts of the store answered. Throws StoreUnavailable if one did not within the time there is. */
export function allAnswersOf(
  asked: readonly Promise<unknown>[],
  withinMs: number,
  fault: Fault = unknown,
): Promise<readonly unknown[]> {
  return Promise.all(eachInTime(asked, withinMs, fault));
}

function eachInTime(asked: readonly Promise<unknown>[], withinMs: number, fault: Fault): readonly Promise<unknown>[] {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new StoreUnavailable(noAnswer(withinMs, fault()))), withinMs);
  const answers = asked.map((answer) => Promise.race([answer, late.promise]));
  void Promise.allSettled(answers).then(() => clearTimeout(timer));
  return answers;
}
