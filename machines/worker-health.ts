import { assign, fromPromise, setup } from 'xstate';
import type { WorkerHealthEvent } from './events.ts';

type Context = {
  /** Worker calls that may be open at once when all is well. */
  readonly concurrency: number;
  /** What the last probe found; undefined before the first. */
  readonly connected: boolean | undefined;
  /** Queues whose calls did not get through since one last did; no more than are counted. */
  readonly failing: readonly string[];
  /** Probes since a call last got through, as far as they are counted. */
  readonly tries: number;
  /** How many more calls may be open while half open. */
  readonly allowed: number;
};

const WELL_EVERY_MS = 5000;
const ILL_EVERY_MS = 1000;
const FIRST_PAUSE_MS = 500;
/** Pauses double up to this: 8 s. */
const MOST_TRIES = 4;
/** So many queues in a row whose calls do not get through are believed, whatever the worker says of itself. */
const FAILING_QUEUES = 3;

const unprovided = () => Promise.reject(new Error('the effect is provided where the broker is wired'));

type Of<Output> = { readonly event: { readonly output: Output } };
type In = { readonly context: Context };
const well = ({ event }: Of<boolean>) => event.output;
const troubled = ({ context }: In) => context.failing.length > 0;
const manyFail = ({ context }: In) => context.failing.length >= FAILING_QUEUES;
const wellButManyFail = ({ context, event }: In & Of<boolean>) => well({ event }) && manyFail({ context });
const wellButTroubled = ({ context, event }: In & Of<boolean>) => well({ event }) && troubled({ context });
const wide = ({ context }: In) => context.allowed * 2 >= context.concurrency;
const wellAndWide = ({ context, event }: In & Of<boolean>) => well({ event }) && wide({ context });

const noted = ({ context: { failing }, event: { queue } }: In & { readonly event: { readonly queue: string } }) =>
  failing.length >= FAILING_QUEUES || failing.includes(queue) ? failing : [...failing, queue];

/**
 * Whether the worker may be called, as a circuit breaker: closed (calls flow) → open (none is made) → half open (a few,
 * then twice as many, …) → closed.
 *
 * A call that could not reach the worker is not enough to stop everybody: the circuit opens when a probe right after it
 * fails too, or when calls of several queues fail and none gets through. So a message that breaks its own call stops
 * nobody, an outage costs the messages in hand one attempt, and a gateway that says it is well and refuses every call
 * does not burn the attempts of all.
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
  context: ({ input }) => ({
    concurrency: input.concurrency,
    connected: undefined,
    failing: [],
    tries: 0,
    allowed: 0,
  }),
  initial: 'closed',
  states: {
    closed: {
      entry: [
        assign({ tries: 0, failing: [] }),
        { type: 'allow', params: ({ context }) => ({ calls: context.concurrency }) },
      ],
      initial: 'probing',
      on: {
        'call.reached': { guard: troubled, actions: assign({ failing: [] }) },
        'call.unreachable': { target: '.suspecting', actions: assign({ failing: noted }) },
      },
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
          on: { 'call.unreachable': { actions: assign({ failing: noted }) } },
          invoke: {
            src: 'probe',
            onDone: [
              { guard: wellButManyFail, target: '#worker-health.open', actions: assign({ connected: true }) },
              { guard: well, target: 'resting', actions: assign({ connected: true }) },
              { target: '#worker-health.open', actions: assign({ connected: false }) },
            ],
          },
        },
      },
    },
    open: {
      entry: [assign({ failing: [] }), { type: 'allow', params: { calls: 0 } }],
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
              { target: 'resting', actions: assign({ connected: false }) },
            ],
          },
        },
      },
    },
    halfOpen: {
      entry: [assign({ allowed: 1 }), { type: 'allow', params: { calls: 1 } }],
      initial: 'resting',
      on: {
        'call.reached': [
          { guard: wide, target: 'closed' },
          {
            actions: [
              assign({ allowed: ({ context }) => context.allowed * 2, tries: 0, failing: [] }),
              { type: 'allow', params: ({ context }) => ({ calls: context.allowed }) },
            ],
          },
        ],
        'call.unreachable': { target: '.suspecting', actions: assign({ failing: noted }) },
      },
      states: {
        resting: {
          invoke: { src: 'pause', input: { ms: ILL_EVERY_MS }, onDone: 'probing' },
        },
        // Where few calls are made it is the probes that open it up, one second after another without trouble.
        probing: {
          invoke: {
            src: 'probe',
            onDone: [
              { guard: wellButTroubled, target: 'resting', actions: assign({ failing: [] }) },
              { guard: wellAndWide, target: '#worker-health.closed' },
              {
                guard: well,
                target: 'resting',
                actions: [
                  assign({ allowed: ({ context }) => context.allowed * 2 }),
                  { type: 'allow', params: ({ context }) => ({ calls: context.allowed }) },
                ],
              },
              { target: '#worker-health.open', actions: assign({ connected: false }) },
            ],
          },
        },
        suspecting: {
          on: { 'call.unreachable': { actions: assign({ failing: noted }) } },
          invoke: {
            src: 'probe',
            onDone: [
              { guard: wellButManyFail, target: '#worker-health.open' },
              { guard: well, target: 'resting' },
              { target: '#worker-health.open', actions: assign({ connected: false }) },
            ],
          },
        },
      },
    },
  },
});
