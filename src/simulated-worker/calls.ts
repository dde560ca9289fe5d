import type { IncomingHttpHeaders } from 'node:http';
import type { Body } from './body.ts';
import type { Moments } from './moments.ts';
import type { Endpoint } from './request.ts';

interface Call {
  /** 1 for the worker's first call. */
  n: number;
  /** `stream` for those in `calls`. */
  endpoint: Endpoint;
  user_id: string;
  /** What should be kept apart: the user, or `group:{org}:{chat_id}[:{thread_id}]`. */
  queue: string;
  /** The text, or what the audio says; directives included. */
  message: string;
  body: Body;
  headers: IncomingHttpHeaders;
  idempotencyKey: string | undefined;
  /** `X-Attempt`. */
  attempt: number | undefined;
  /** How many calls of this message there were, this one included (by Idempotency-Key, else by user and text). */
  nth: number;
  /** Sequence number of the moment when the request's headers had arrived. */
  startedAt: number;
  /** Sequence number of the moment when the response was over: ended, broken, or left by the client. */
  endedAt: number | undefined;
  /** Sequence number of the moment when the work was done: later than `endedAt` when the client had left. */
  finishedAt: number | undefined;
  /** `performance.now()` at the start and the end. */
  startedMs: number;
  endedMs: number | undefined;
  /** The HTTP status; undefined as long as nothing was answered. */
  status: number | undefined;
  /** The text of each data line; goes on after the client has left. */
  sentData: string[];
  /** How many of them were sent when the client left. */
  sentBeforeGone: number | undefined;
  clientGone: boolean;
}

/** What the worker remembers of one call. Live: it changes until the call is over. */
export type CallRecord = Readonly<Omit<Call, 'sentData'>> & { readonly sentData: readonly string[] };

export interface Arrival {
  endpoint: Endpoint;
  startedAt: number;
  user_id: string;
  queue: string;
  message: string;
  body: Body;
  headers: IncomingHttpHeaders;
}

/** The worker's memory of its calls, in order. Times are numbers of one sequence, so order is never in doubt. */
export class CallLog {
  readonly calls: CallRecord[] = [];
  maxOpen = 0;
  total = 0;
  #open = 0;
  readonly #queues = new Map<string, { open: number; lastEnd: number }>();
  readonly #overlaps = new Set<string>();
  readonly #seen = new Map<string, number>();
  readonly #moments: Moments;
  readonly #onEnded: ((call: CallRecord) => void) | undefined;

  constructor(moments: Moments, onEnded?: (call: CallRecord) => void) {
    this.#moments = moments;
    this.#onEnded = onEnded;
  }

  get open(): number {
    return this.#open;
  }

  /** Is a call of this queue open? */
  busy(queue: string): boolean {
    return (this.#queues.get(queue)?.open ?? 0) > 0;
  }

  begin(arrival: Arrival): Call {
    const { headers, queue } = arrival;
    const key = headers['idempotency-key'];
    const idempotencyKey = typeof key === 'string' ? key : undefined;
    const attempt = Number(headers['x-attempt']);
    const identity =
      idempotencyKey !== undefined
        ? `key ${idempotencyKey}`
        : `text ${JSON.stringify([arrival.user_id, arrival.message])}`;
    const nth = (this.#seen.get(identity) ?? 0) + 1;
    this.#seen.set(identity, nth);
    const call: Call = {
      ...arrival,
      n: ++this.total,
      idempotencyKey,
      attempt: Number.isInteger(attempt) ? attempt : undefined,
      nth,
      endedAt: undefined,
      finishedAt: undefined,
      startedMs: performance.now(),
      endedMs: undefined,
      status: undefined,
      sentData: [],
      sentBeforeGone: undefined,
      clientGone: false,
    };
    const state = this.#queues.get(queue) ?? { open: 0, lastEnd: 0 };
    if (state.open > 0 || state.lastEnd > call.startedAt) this.#overlaps.add(queue);
    state.open++;
    this.#queues.set(queue, state);
    this.#open++;
    this.maxOpen = Math.max(this.maxOpen, this.#open);
    this.calls.push(call);
    this.#moments.changed();
    return call;
  }

  sent(call: Call, lines: readonly string[]): void {
    for (const line of lines) call.sentData.push(line);
    this.#moments.changed();
  }

  /** The response is over. Only the first reason counts. */
  end(call: Call, clientGone = false): void {
    if (call.endedAt !== undefined) return;
    call.endedAt = this.#moments.tick();
    call.endedMs = performance.now();
    call.clientGone = clientGone;
    if (clientGone) call.sentBeforeGone = call.sentData.length;
    this.#open--;
    const state = this.#queues.get(call.queue);
    if (state !== undefined) {
      state.open--;
      state.lastEnd = call.endedAt;
    }
    this.#onEnded?.(call);
    this.#moments.changed();
  }

  /** The work is done. */
  finish(call: Call): void {
    call.finishedAt ??= this.#moments.tick();
    this.#moments.changed();
  }

  /** The queues of which two calls were open at the same time. */
  overlaps(): string[] {
    return [...this.#overlaps];
  }

  /** Forgets all calls (open ones go on, uncounted here); for benches and between tests. */
  forget(): void {
    this.calls.length = 0;
    this.total = 0;
    this.maxOpen = this.#open;
    this.#overlaps.clear();
    this.#seen.clear();
    for (const [queue, state] of this.#queues) if (state.open === 0) this.#queues.delete(queue);
  }
}

export type { Call };
