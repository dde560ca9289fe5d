import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type Actor, createActor, fromPromise } from 'xstate';
import { workerHealthMachine } from '../../machines/worker-health.ts';
import type { Worker } from '../worker/worker.ts';
import type { Inspection } from './inspection.ts';
import type { Slots } from './slots.ts';

/** The terms of a circuit breaker: calls flow, none is made, a few are tried. */
type Circuit = 'closed' | 'open' | 'half_open';

export type WorkerStatus = {
  /** What the newest probe found. */
  readonly connected: boolean;
  readonly circuit: Circuit;
  /** Since when it has been ill, or well, in ms since 1970. */
  readonly since: number;
};

/** Keeps the worker's circuit: asks the worker how it is, hears how calls go, and opens and shuts the slots for them. */
export class WorkerHealth {
  readonly #actor: Actor<typeof workerHealthMachine>;
  readonly #known = Promise.withResolvers<void>();
  readonly #log: Logger;
  #isKnown = false;
  #status: WorkerStatus = { connected: false, circuit: 'closed', since: Date.now() };

  constructor(parts: { worker: Worker; slots: Slots; log: Logger; inspection?: Inspection }) {
    const { worker, slots, log, inspection } = parts;
    this.#log = log;
    this.#actor = createActor(
      workerHealthMachine.provide({
        actors: {
          probe: fromPromise(() => worker.healthy()),
          // Spread, so that many brokers do not ask a worker that is just coming back all at once.
          pause: fromPromise(({ input, signal }) =>
            delay(input.ms * (0.75 + Math.random() / 4), undefined, { signal, ref: false }),
          ),
        },
        actions: { allow: (_, { calls }) => slots.allow(calls) },
      }),
      { input: { concurrency: slots.concurrency }, ...inspection },
    );
    this.#actor.subscribe(() => this.#note());
    this.#actor.start();
  }

  /** How the worker is; waits for the first probe. */
  async status(): Promise<WorkerStatus> {
    await this.#known.promise;
    return this.#status;
  }

  /** The worker is known to be well, and calls are made to it. */
  get well(): boolean {
    return !isIll(this.#status);
  }

  /** The worker answered a call. */
  reached(): void {
    this.#actor.send({ type: 'call.reached' });
  }

  /** A queue's call did not get through to the worker. */
  unreachable(queue: string): void {
    this.#actor.send({ type: 'call.unreachable', queue });
  }

  close(): void {
    this.#actor.stop();
    this.#known.resolve();
  }

  #note(): void {
    const snapshot = this.#actor.getSnapshot();
    const { connected } = snapshot.context;
    if (connected === undefined) return;
    const circuit = snapshot.matches('open') ? 'open' : snapshot.matches('halfOpen') ? 'half_open' : 'closed';
    const before = this.#status;
    const ill = isIll({ connected, circuit });
    const hasTurned = ill !== isIll(before);
    this.#status = { connected, circuit, since: hasTurned ? Date.now() : before.since };
    // That it is well from the start is no news; nor is each try while calls are refused.
    if (this.#isKnown ? hasTurned || connected !== before.connected : ill) this.#tell();
    this.#isKnown = true;
    this.#known.resolve();
  }

  #tell(): void {
    const { connected, circuit, since } = this.#status;
    const about = { worker_connected: connected, circuit, since: new Date(since).toISOString() };
    if (!isIll(this.#status)) this.#log.info(about, 'the worker answers, and calls are made');
    else if (!connected) this.#log.warn(about, 'the worker does not answer');
    else this.#log.warn(about, 'the worker says that it is well, and calls do not get through: only a few are tried');
  }
}

/** The worker does not answer, or no calls are made to it but a few to try. */
export function isIll({ connected, circuit }: Pick<WorkerStatus, 'connected' | 'circuit'>): boolean {
  return !connected || circuit !== 'closed';
}
