import { assign, fromPromise, setup } from 'xstate';
import type { WorkerHealthEvent } from './events.ts';

type Context = {
  /** Worker calls that may be open at once when all is well. */
  readonly concurrency: number;
  /** What the last probe found; undefined before the first. */
  readonly connected: boolean | undefined;
  /** Probes since calls were stopped, as far as they are counted. */
  readonly tries: number;
  /** How many more calls may be open while half open. */
  readonly allowed: number;
};

const WELL_EVERY_MS = 5000;
const ILL_EVERY_MS = 1000;
const FIRST_PAUSE_MS = 500;
/** Pauses double up to this: 8 s. */
const MOST_TRIES = 4;

const unprovided = () => Promise.reject(new Error('the effect is provided where the broker is wired'));

type Of<Output> = { readonly event: { readonly output: Output } };
const well = ({ event }: Of<boolean>) => event.output;
const wide = ({ context }: { context: Context }) => context.allowed * 2 >= context.concurrency;

/**
 * Whether the worker may be called, as a circuit breaker: closed (calls flow) → open (none is made) → half open (a few,
 * then twice as many, …) → closed.
 *
 * A call that could not reach the worker is not enough to stop everybody: the circuit opens when a probe right after it
 * fails too. So a message that breaks its own call stops nobody, and an outage costs the messages in hand one attempt.
 */
export const workerHealthMachine = setup({
  types: {
    context: {} as Context,
    events: {} as WorkerHealthEvent,
    input: {} as { concurrency: number },
  },
  actors: {
    /** Asks the worker how it is. Never fails. */
    probe: fromPromise<boolean>(unprovided),
    pause: fromPromise<void, { ms: number }>(unprovided),
  },
  actions: {
    /** So many more calls may be open from now on; none when 0. */
    allow: (_, _params: { calls: number }) => {},
  },
}).createMachine({
  id: 'worker-health',
  context: ({ input }) => ({ concurrency: input.concurrency, connected: undefined, tries: 0, allowed: 0 }),
  initial: 'closed',
  states: {
    closed: {
      entry: [assign({ tries: 0 }), { type: 'allow', params: ({ context }) => ({ calls: context.concurrency }) }],
      initial: 'probing',
      on: { 'call.unreachable': '.suspecting' },
      states: {
        resting: {
          invoke: {
            src: 'pause',
            input: ({ context }) => ({ ms: context.connected ? WELL_EVERY_MS : ILL_EVERY_MS }),
            onDone: 'probing',
          },
        },
        probing: {
          invoke: {
            src: 'probe',
            onDone: { target: 'resting', actions: assign({ connected: ({ event }) => event.output }) },
          },
        },
        suspecting: {
          // Further calls that fail meanwhile wait for the same verdict.
          on: { 'call.unreachable': {} },
          invoke: {
            src: 'probe',
            onDone: [
              { guard: well, target: 'resting', actions: assign({ connected: true }) },
              { target: '#worker-health.open', actions: assign({ connected: false }) },
            ],
          },
        },
      },
    },
    open: {
      entry: { type: 'allow', params: { calls: 0 } },
      initial: 'resting',
      states: {
        resting: {
          invoke: {
            src: 'pause',
            input: ({ context }) => ({ ms: FIRST_PAUSE_MS * 2 ** context.tries }),
            onDone: 'probing',
          },
        },
        probing: {
          entry: assign({ tries: ({ context }) => Math.min(MOST_TRIES, context.tries + 1) }),
          invoke: {
            src: 'probe',
            onDone: [
              { guard: well, target: '#worker-health.halfOpen', actions: assign({ connected: true }) },
              { target: 'resting' },
            ],
          },
        },
      },
    },
    halfOpen: {
      entry: [assign({ allowed: 1 }), { type: 'allow', params: { calls: 1 } }],
      on: {
        'call.reached': [
          { guard: wide, target: 'closed' },
          {
            actions: [
              assign({ allowed: ({ context }) => context.allowed * 2 }),
              { type: 'allow', params: ({ context }) => ({ calls: context.allowed }) },
            ],
          },
        ],
        'call.unreachable': { target: 'open', actions: assign({ connected: false }) },
      },
    },
  },
});
