import { assign, setup } from 'xstate';
import type { Claim, Opening, Outcome, Settled, UserEvent } from './events.ts';

type Context = {
  readonly queue: string;
  readonly claim: Claim | undefined;
  /** A hint came while busy: look once more before going idle, or a message accepted meanwhile is left lying. */
  readonly hinted: boolean;
  readonly draining: boolean;
};

/** The claim of a state that cannot be entered without one. */
function claimed({ claim }: Context): Claim {
  if (!claim) throw new Error('a state that needs a claim was entered without one');
  return claim;
}

/** How the message ended: the event that led to settling it tells. */
function outcomeIn(event: UserEvent): Outcome {
  if (event.type === 'relay.done') return event.output;
  if (event.type === 'open.done' && event.output.type === 'ended') return event.output.outcome;
  throw new Error('a message was settled before it ended');
}

/** Why the call is to be tried again, and when: the event that led to backing off tells. */
function refusalIn(event: UserEvent): { readonly delayMs: number; readonly reason: string } {
  if (event.type === 'open.done' && event.output.type === 'refused') return event.output;
  throw new Error('a call that was not refused backed off');
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
 * The machine holds no message and does no I/O. Its effects (claim, open, backOff, relay, settle, release) begin where a
 * state is entered, are broken off where it is left, and tell what came of them as events. As invoked promise actors they
 * cost twice as much: 153 µs for a life of a user and one message, 75 µs so.
 */
export const userMachine = setup({
  types: {
    context: {} as Context,
    events: {} as UserEvent,
    input: {} as { queue: string },
  },
  actions: {
    /** Waits for a slot, then claims the head of the queue. */
    claim: () => {},
    /** Makes the worker call, up to its first event. */
    open: (_, _params: { claim: Claim }) => {},
    /** Records the next attempt and waits until it is due. No claim when no calls are made here by then: others may. */
    backOff: (_, _params: { claim: Claim; delayMs: number; reason: string }) => {},
    /** Moves the worker's events into the log, to the end of the call. */
    relay: (_, _params: { claim: Claim }) => {},
    /** Writes the end; takes the next claim in the same step unless the user drains. */
    settle: (_, _params: { claim: Claim; outcome: Outcome; proceed: boolean }) => {},
    /** Hands an unfinished claim over to whoever comes next. */
    release: (_, _params: { claim: Claim }) => {},
    /** Breaks the effect of the state that is left off, if it is still under way: nothing is heard of it any more. */
    leave: () => {},
    reportIdle: () => {},
    freeSlot: () => {},
    reportFault: (_, _params: { error: unknown }) => {},
  },
}).createMachine({
  id: 'user',
  context: ({ input }) => ({
    queue: input.queue,
    claim: undefined,
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
      entry: [assign({ claim: undefined }), 'freeSlot', 'reportIdle'],
      // However a queue was left, a hint that came meanwhile is worth one look. It is forgotten with that, so a
      // claim that fails costs one try a hint and no loop; without a hint the sweeper brings the queue back.
      always: { guard: hinted, target: 'dispatching', actions: assign({ hinted: false }) },
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
          entry: 'claim',
          exit: 'leave',
          on: {
            'claim.done': [
              { guard: claimedOne, target: 'opening', actions: assign({ claim: ({ event }) => event.output }) },
              { target: '#user.idle' },
            ],
            // The queue stays in the store's index of due work, so the sweeper brings it back.
            'claim.failed': { target: '#user.idle', actions: { type: 'reportFault', params: ({ event }) => event } },
            drain: { target: '#user.idle', actions: assign({ draining: true }) },
            abort: { target: '#user.idle', actions: assign({ draining: true }) },
          },
        },
        opening: {
          entry: { type: 'open', params: ({ context }) => ({ claim: claimed(context) }) },
          exit: 'leave',
          on: {
            'open.done': [
              { guard: callOpen, target: '#user.streaming' },
              { guard: callEnded, target: '#user.streaming.settling' },
              { guard: draining, target: '#user.releasing' },
              { target: 'backingOff' },
            ],
            'open.failed': {
              target: '#user.releasing',
              actions: { type: 'reportFault', params: ({ event }) => event },
            },
          },
        },
        backingOff: {
          entry: [
            'freeSlot',
            {
              type: 'backOff',
              params: ({ context, event }) => ({ claim: claimed(context), ...refusalIn(event) }),
            },
          ],
          exit: 'leave',
          on: {
            'backOff.done': [
              { guard: claimedOne, target: 'opening', actions: assign({ claim: ({ event }) => event.output }) },
              { target: '#user.releasing' },
            ],
            'backOff.failed': {
              target: '#user.releasing',
              actions: { type: 'reportFault', params: ({ event }) => event },
            },
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
          entry: { type: 'relay', params: ({ context }) => ({ claim: claimed(context) }) },
          exit: 'leave',
          on: {
            'relay.done': 'settling',
            'relay.failed': {
              target: '#user.releasing',
              actions: { type: 'reportFault', params: ({ event }) => event },
            },
          },
        },
        settling: {
          entry: {
            type: 'settle',
            params: ({ context, event }) => ({
              claim: claimed(context),
              outcome: outcomeIn(event),
              proceed: !context.draining,
            }),
          },
          exit: 'leave',
          on: {
            'settle.done': [
              {
                guard: nextClaimedButDraining,
                target: '#user.releasing',
                actions: assign({ claim: ({ event }) => event.output.next }),
              },
              {
                guard: nextClaimed,
                target: '#user.dispatching.opening',
                actions: assign({ claim: ({ event }) => event.output.next, hinted: false }),
              },
              {
                guard: moreWaiting,
                target: '#user.dispatching',
                actions: [assign({ claim: undefined, hinted: false }), 'freeSlot'],
              },
              { target: '#user.idle' },
            ],
            'settle.failed': {
              target: '#user.releasing',
              actions: { type: 'reportFault', params: ({ event }) => event },
            },
          },
        },
      },
    },

    releasing: {
      entry: { type: 'release', params: ({ context }) => ({ claim: claimed(context) }) },
      exit: 'leave',
      on: {
        'release.done': '#user.idle',
        // A claim that cannot be handed over runs out by its lease.
        'release.failed': { target: '#user.idle', actions: { type: 'reportFault', params: ({ event }) => event } },
      },
    },

    retired: { type: 'final' },
  },
});
