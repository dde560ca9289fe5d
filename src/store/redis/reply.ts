import type { EndStatus } from '../../../machines/events.ts';
import { StoreUnavailable } from '../../errors.ts';
import { readTrace, type Trace } from '../../trace.ts';
import {
  type CallbackState,
  type ClaimedMessage,
  type DeadLetter,
  type DelayedQueue,
  END_STATUSES,
  type MessageState,
  type MessageStatus,
  type Renewal,
} from '../store.ts';

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

export function unexpected(reply: unknown): TypeError {
  return new TypeError(`Redis gave an unexpected answer: ${JSON.stringify(reply)?.slice(0, 200)}`);
}

/** What `claim.lua` answers. */
export function claimOf(queue: string, reply: unknown): ClaimedMessage {
  const [messageId, token, attempt, payload, last, waitedMs, , url, from, trace] = list(reply);
  return {
    queue,
    messageId: text(messageId),
    token: integer(token),
    attempt: integer(attempt),
    payload: text(payload),
    trace: traceIn(trace),
    last: integer(last),
    waitedMs: integer(waitedMs),
    callback: url ? { url: text(url), from: from === 'start' ? 'start' : 'end' } : undefined,
  };
}

/** What is stored of a message's trace. */
export function traceIn(reply: unknown): Trace {
  return readTrace(reply ? text(reply) : '');
}

/** What `dead.lua` answers. */
export function deadLettersOf(reply: unknown): DeadLetter[] {
  const flat = list(reply);
  const letters: DeadLetter[] = [];
  for (let i = 0; i < flat.length; i += 8) {
    letters.push({
      messageId: text(flat[i]),
      queue: text(flat[i + 1]),
      attempts: integer(flat[i + 2]),
      queuedAt: integer(flat[i + 3]),
      endedAt: integer(flat[i + 4]),
      code: text(flat[i + 5]),
      error: text(flat[i + 6]),
      kind: flat[i + 7] === 'callback' ? 'callback' : 'message',
    });
  }
  return letters;
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

/** What each part of the store answered, undefined where it did not within the time there is. Throws StoreUnavailable if none did. */
export async function answersOf(asked: readonly Promise<unknown>[], withinMs: number): Promise<readonly unknown[]> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new StoreUnavailable(new Error(`There was no answer within ${withinMs} ms.`))),
    withinMs,
  );
  const settled = await Promise.allSettled(asked.map((answer) => Promise.race([answer, late.promise])));
  clearTimeout(timer);
  const refused = settled.filter(({ status }) => status === 'rejected');
  const [first] = refused;
  if (first?.status === 'rejected' && refused.length === settled.length) throw first.reason;
  return settled.map((answer) => (answer.status === 'fulfilled' ? answer.value : undefined));
}
