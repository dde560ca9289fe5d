import type { Claim } from '../../machines/events.ts';
import type { ClaimedMessage, Handover, LogEvent } from '../store/store.ts';
import type { Trace } from '../trace.ts';
import type { WorkerCall } from '../worker/call.ts';

/**
 * One attempt at one message: its claim, with what the machine has no business to know.
 * The machine passes it from effect to effect as the claim it is.
 */
export class Turn implements Claim {
  readonly queue: string;
  readonly messageId: string;
  readonly token: number;
  readonly attempt: number;
  readonly trace: Trace;
  readonly waitedMs: number;
  readonly callback: ClaimedMessage['callback'];
  /** Id of the last event known to be in the log. */
  last: number;
  /** Events that the worker has sent and the log does not have yet. */
  pending: LogEvent[] = [];
  /** The open worker call. */
  call: WorkerCall | undefined;
  /** The worker call of the attempt that the store has counted last was made. */
  called = false;
  /** When the worker call that is open now was begun, in `performance.now()` time; undefined when none was opened. */
  calledAt: number | undefined;
  /** When that attempt is due, in `performance.now()` time. */
  dueAt = 0;
  #payload: string;
  /** Aborted when the message was cancelled; shared by all attempts under one claim. */
  readonly #cancellation: AbortController;

  constructor(message: ClaimedMessage, before?: Turn) {
    this.queue = message.queue;
    this.messageId = message.messageId;
    this.token = message.token;
    this.attempt = message.attempt;
    this.#payload = message.payload;
    this.trace = message.trace;
    this.waitedMs = message.waitedMs;
    this.callback = before ? before.callback : message.callback;
    this.last = message.last;
    this.#cancellation = before ? before.#cancellation : new AbortController();
  }

  /** What the worker is sent, once: it may be large, and the call long. */
  takePayload(): string {
    const payload = this.#payload;
    this.#payload = '';
    return payload;
  }

  /** What whoever comes next has to know when this turn is given up. */
  get handover(): Handover {
    return { called: this.called, delayMs: Math.max(0, this.dueAt - performance.now()) };
  }

  get cancelled(): AbortSignal {
    return this.#cancellation.signal;
  }

  /** Breaks off whatever is done for the message. */
  cancel(): void {
    this.#cancellation.abort(new Error('the message was cancelled'));
    this.call?.close();
  }

  /** The turn that a machine handed on as a claim. */
  static of(claim: Claim): Turn {
    if (claim instanceof Turn) return claim;
    throw new Error('a claim reached an effect that did not come from the store');
  }
}
