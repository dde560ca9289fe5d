import { assign, fromPromise, setup } from 'xstate';
import type { Claim, Opening, Outcome, Settled, UserEvent } from './events.ts';

type Context = {
  readonly queue: string;
  readonly claim: Claim | undefined;
  readonly outcome: Outcome | undefined;
  readonly delayMs: number;
  readonly reason: string;
  /** A hint came while busy: look once more before going idle, or a message accepted meanwhile is left lying. */
  readonly hinted: boolean;
  readonly draining: boolean;
};

const unprovided = () => Promise.reject(new Error('the effect is provided where the broker is wired'));

/** The claim of a state that cannot be entered without one. */
function claimed({ claim }: Context): Claim {
  if (!claim) throw new Error('a state that needs a claim was entered without one');
  return claim;
}

function ended({ outcome }: Context): Outcome {
  if (!outcome) throw new Error('a message was settled before it ended');
  return outcome;
}

// Guards. Their names are what the charts show.
type Of<Output> = { readonly event: { readonly output: Output } };
type In = { readonly context: Context };

const draining = ({ context }: In) => context.draining;
const notDraining = ({ context }: In) => !context.draining;
const hinted = ({ context }: In) => context.hinted && !context.draining;
const ownClaim = ({ context, event }: In & { event: { token: number } }) => event.token === context.claim?.token;
const claimedOne = ({ event }: Of<Claim | undefined>) => event.output !== undefined;
const callOpen = ({ event }: Of<Opening>) => event.output.type === 'opened';
const callEnded = ({ event }: Of<Opening>) => event.output.type === 'ended';
const nextClaimed = ({ event }: Of<Settled>) => event.output.next !== undefined;
const nextClaimedButDraining = ({ context, event }: In & Of<Settled>) => context.draining && nextClaimed({ event });
const moreWaiting = ({ context, event }: In & Of<Settled>) => !context.draining && event.output.waiting;

/**
 * One user's queue at work: idle → dispatching → streaming → idle.
 *
 * The machine holds no message and does no I/O. Its effects (claim, open, backOff, relay, settle, release) are
 * promise actors whose signal fires when their state is left, so leaving a state always ends its effect.
 */
export const userMachine = setup({
  types: {
    context: {} as Context,
    events: {} as UserEvent,
    input: {} as { queue: string },
  },
  actors: {
    /** Waits for a slot, then claims the head of the queue. */
    claim: fromPromise<Claim | undefined, { queue: string }>(unprovided),
    /** Makes the worker call, up to its first event. */
    open: fromPromise<Opening, { claim: Claim }>(unprovided),
    /** Records the next attempt and waits until it is due. Undefined when no calls are made here by then: others may. */
    backOff: fromPromise<Claim | undefined, { claim: Claim; delayMs: number; reason: string }>(unprovided),
    /** Moves the worker's events into the log, to the end of the call. */
    relay: fromPromise<Outcome, { claim: Claim }>(unprovided),
    /** Writes the end; takes the next claim in the same step when `proceed` allows it. */
    settle: fromPromise<Settled, { claim: Claim; outcome: Outcome; proceed: boolean }>(unprovided),
    /** Hands an unfinished claim over to whoever comes next. */
    release: fromPromise<void, { claim: Claim }>(unprovided),
  },
  actions: {
    reportIdle: () => {},
    freeSlot: () => {},
    reportFault: (_, _params: { error: unknown }) => {},
  },
}).createMachine({
  id: 'user',
  context: ({ input }) => ({
    queue: input.queue,
    claim: undefined,
    outcome: undefined,
    delayMs: 0,
    reason: '',
    hinted: false,
    draining: false,
  }),
  initial: 'idle',
  // What a state does not act on is remembered.
  on: {
    work: { actions: assign({ hinted: true }) },
    drain: { actions: assign({ draining: true }) },
    abort: { actions: assign({ draining: true }) },
  },
  states: {
    idle: {
      entry: [assign({ claim: undefined, outcome: undefined }), 'freeSlot', 'reportIdle'],
      // However a queue was left, a hint that came meanwhile is worth one look. Claiming forgets the hint, so a
      // claim that fails costs one try a hint and no loop; without a hint the sweeper brings the queue back.
      always: { guard: hinted, target: 'dispatching' },
      on: {
        work: { guard: notDraining, target: 'dispatching' },
        retire: 'retired',
      },
    },

    dispatching: {
      initial: 'claiming',
      on: {
        'claim.lost': { guard: ownClaim, target: 'idle' },
        abort: { target: 'releasing', actions: assign({ draining: true }) },
      },
      states: {
        claiming: {
          entry: [assign({ claim: undefined, outcome: undefined, hinted: false }), 'freeSlot'],
          invoke: {
            src: 'claim',
            input: ({ context }) => ({ queue: context.queue }),
            onDone: [
              { guard: claimedOne, target: 'opening', actions: assign({ claim: ({ event }) => event.output }) },
              { target: '#user.idle' },
            ],
            // The queue stays in the store's index of due work, so the sweeper brings it back.
            onError: { target: '#user.idle', actions: { type: 'reportFault', params: ({ event }) => event } },
          },
          on: {
            drain: { target: '#user.idle', actions: assign({ draining: true }) },
            abort: { target: '#user.idle', actions: assign({ draining: true }) },
          },
        },
        opening: {
          invoke: {
            src: 'open',
            input: ({ context }) => ({ claim: claimed(context) }),
            onDone: [
              { guard: callOpen, target: '#user.streaming' },
              {
                guard: callEnded,
                target: '#user.streaming.settling',
                actions: assign({
                  outcome: ({ event }) => (event.output.type === 'ended' ? event.output.outcome : undefined),
                }),
              },
              { guard: draining, target: '#user.releasing' },
              {
                target: 'backingOff',
                actions: assign({
                  delayMs: ({ event }) => (event.output.type === 'refused' ? event.output.delayMs : 0),
                  reason: ({ event }) => (event.output.type === 'refused' ? event.output.reason : ''),
                }),
              },
            ],
            onError: { target: '#user.releasing', actions: { type: 'reportFault', params: ({ event }) => event } },
          },
        },
        backingOff: {
          entry: 'freeSlot',
          invoke: {
            src: 'backOff',
            input: ({ context }) => ({
              claim: claimed(context),
              delayMs: context.delayMs,
              reason: context.reason,
            }),
            onDone: [
              { guard: claimedOne, target: 'opening', actions: assign({ claim: ({ event }) => event.output }) },
              { target: '#user.releasing' },
            ],
            onError: { target: '#user.releasing', actions: { type: 'reportFault', params: ({ event }) => event } },
          },
          on: {
            drain: { target: '#user.releasing', actions: assign({ draining: true }) },
          },
        },
      },
    },

    streaming: {
      initial: 'relaying',
      on: {
        'claim.lost': { guard: ownClaim, target: 'idle' },
        abort: { target: 'releasing', actions: assign({ draining: true }) },
      },
      states: {
        relaying: {
          invoke: {
            src: 'relay',
            input: ({ context }) => ({ claim: claimed(context) }),
            onDone: { target: 'settling', actions: assign({ outcome: ({ event }) => event.output }) },
            onError: { target: '#user.releasing', actions: { type: 'reportFault', params: ({ event }) => event } },
          },
        },
        settling: {
          invoke: {
            src: 'settle',
            input: ({ context }) => ({
              claim: claimed(context),
              outcome: ended(context),
              proceed: !context.draining,
            }),
            onDone: [
              {
                guard: nextClaimedButDraining,
                target: '#user.releasing',
                actions: assign({ claim: ({ event }) => event.output.next }),
              },
              {
                guard: nextClaimed,
                target: '#user.dispatching.opening',
                actions: assign({
                  claim: ({ event }) => event.output.next,
                  outcome: undefined,
                  hinted: false,
                }),
              },
              { guard: moreWaiting, target: '#user.dispatching' },
              { target: '#user.idle' },
            ],
            onError: { target: '#user.releasing', actions: { type: 'reportFault', params: ({ event }) => event } },
          },
        },
      },
    },

    releasing: {
      invoke: {
        src: 'release',
        input: ({ context }) => ({ claim: claimed(context) }),
        onDone: '#user.idle',
        // A claim that cannot be handed over runs out by its lease.
        onError: { target: '#user.idle', actions: { type: 'reportFault', params: ({ event }) => event } },
      },
    },

    retired: { type: 'final' },
  },
});
