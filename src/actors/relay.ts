import { setImmediate as nextTick } from 'node:timers/promises';
import type { Outcome } from '../../machines/events.ts';
import type { LogEvent } from '../store/store.ts';
import type { WorkerCall } from '../worker/call.ts';
import { failed } from '../worker/worker.ts';
import type { Turn } from './turn.ts';

/** So many characters, or events, may wait for the log before the worker's connection is left unread. */
const MAX_PENDING_CHARS = 1_000_000;
const MAX_PENDING_EVENTS = 10_000;
/**
 * So many events are written at a time. A store takes them in one call that holds up nobody for long, and a listener who
 * keeps up finds them all in its feed.
 */
const MAX_WRITTEN_EVENTS = 1000;

type Parts = {
  readonly turn: Turn;
  readonly call: WorkerCall;
  readonly append: (last: number, events: readonly LogEvent[]) => Promise<void>;
  readonly keepalive: (data: string) => void;
  readonly broken: (error: unknown) => Outcome;
};

/**
 * Copies one worker call into the log. One write is under way at a time; what arrives meanwhile goes with the
 * next, so a fast stream costs few round trips and a slow one no delay. What is left at the end is settled with it.
 */
export class Relay {
  readonly #parts: Parts;
  #pendingChars = 0;
  #writing: Promise<void> | undefined;
  #outcome: Outcome | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Runs to the end of the response. The turn then holds what the log lacks. Throws what `append` throws. */
  async run(): Promise<Outcome> {
    const { call, broken } = this.#parts;
    try {
      while (!this.#failure) {
        const events = await call.read().catch((error: unknown) => {
          // What cannot be written is not the worker's fault.
          if (!this.#failure) this.#outcome ??= broken(error);
        });
        if (!events) break;
        this.#take(events);
        this.#write();
        if (this.#isFull()) await this.#writing;
      }
    } finally {
      while (this.#writing) await this.#writing;
    }
    if (this.#failure) throw this.#failure.error;
    return this.#outcome ?? broken(new Error('it ended without a last event'));
  }

  #take(events: Awaited<ReturnType<WorkerCall['read']>> & {}): void {
    const { turn, keepalive } = this.#parts;
    for (const { kind, data } of events) {
      if (this.#outcome) return;
      if (kind === 'keepalive') {
        keepalive(data);
        continue;
      }
      turn.pending.push({ name: '', data });
      this.#pendingChars += data.length;
      if (kind === 'complete') this.#outcome = { status: 'completed' };
      if (kind === 'error') this.#outcome = failed('worker_error', errorText(data));
    }
  }

  #write(): void {
    if (this.#writing || this.#failure || !this.#hasToWrite()) return;
    this.#writing = this.#drain()
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#parts.call.close();
      })
      .finally(() => {
        this.#writing = undefined;
        // What came while the last write was being concluded.
        this.#write();
      });
  }

  #isFull(): boolean {
    return this.#pendingChars > MAX_PENDING_CHARS || this.#parts.turn.pending.length > MAX_PENDING_EVENTS;
  }

  /** More waits for the log than will be settled with the end. */
  #hasToWrite(): boolean {
    const { turn, call } = this.#parts;
    return turn.pending.length > (this.#outcome && call.ended ? MAX_WRITTEN_EVENTS : 0);
  }

  async #drain(): Promise<void> {
    const { turn, append } = this.#parts;
    // The end of the response mostly comes with the last event: then both are settled in one write.
    if (this.#outcome) await nextTick();
    while (this.#hasToWrite()) {
      const events = turn.pending.splice(0, MAX_WRITTEN_EVENTS);
      for (const { data } of events) this.#pendingChars -= data.length;
      await append(turn.last, events);
      turn.last += events.length;
    }
  }
}

function errorText(data: string): string {
  const event: unknown = JSON.parse(data);
  const text = typeof event === 'object' && event !== null && 'error' in event ? event.error : undefined;
  return typeof text === 'string' ? text : 'The worker gave up on the message and gave no reason.';
}
