import { assign, setup } from 'xstate';
import type { Claim, Opening, Settled, UserEvent } from './events.ts';

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

/** What settling the message left: the event that tells of its end has it. */
function settledIn(event: UserEvent): Settled | undefined {
  if (event.type === 'relay.done') return event.output;
  if (event.type === 'open.done' && event.output.type === 'settled') return event.output;
  return undefined;
}

/** Why the call is to be tried again, and when: the event that led to backing off tells. */
function refusalIn(event: UserEvent): { readonly delayMs: number; readonly reason: string } {
  if (event.type === 'open.done' && event.output.type === 'refused') return event.output;
  throw new Error('a call that was not refused backed off');
}

// Guards. Their names are what the charts show.
type Of<Output> = { readonly event: { readonly output: Output } };
type In = { readonly context: Context };
type Told = { readonly event: UserEvent };

const notDraining = ({ context }: In) => !context.draining;
const hinted = ({ context }: In) => context.hinted && !context.draining;
const ownClaim = ({ context, event }: In & { event: { token: number } }) => event.token === context.claim?.token;
const claimedOne = ({ event }: Of<Claim | undefined>) => event.output !== undefined;
const callOpen = ({ event }: Of<Opening>) => event.output.type === 'opened';
const refused = ({ event }: Of<Opening>) => event.output.type === 'refused';
const refusedWhileDraining = ({ context, event }: In & Of<Opening>) => context.draining && refused({ event });
const nextClaimed = ({ event }: Told) => settledIn(event)?.next !== undefined;
const nextClaimedButDraining = ({ context, event }: In & Told) => context.draining && nextClaimed({ event });
const moreWaiting = ({ context, event }: In & Told) => !context.draining && settledIn(event)?.waiting === true;

const user = setup({
  types: {
    context: {} as Context,
    events: {} as UserEvent,
    input: {} as { queue: string },
  },
  actions: {
    /** Waits for a slot, then claims the head of the queue. */
    claim: () => {},
    /** Makes the worker call, up to its first event. A message that ends without one is settled here, as `relay` does. */
    open: (_, _params: { claim: Claim }) => {},
    /** Records the next attempt and waits until it is due. No claim when no calls are made here by then: others may. */
    backOff: (_, _params: { claim: Claim; delayMs: number; reason: string }) => {},
    /** Moves the worker's events into the log, to the end of the call, and settles the message; may take the next claim with that. */
    relay: (_, _params: { claim: Claim }) => {},
    /** Hands an unfinished claim over to whoever comes next. */
    release: (_, _params: { claim: Claim }) => {},
    /** Breaks the effect of the state that is left off, if it is still under way: nothing is heard of it any more. */
    leave: () => {},
    reportIdle: () => {},
    freeSlot: () => {},
    reportFault: (_, _params: { error: unknown }) => {},
  },
});

const drain = user.assign({ draining: true });

/** What befalls a claim in whatever state it is worked on. */
const GIVEN_UP = {
  'claim.lost': { guard: ownClaim, target: 'idle' },
  abort: { target: 'releasing', actions: drain },
} as const;

const takeNext = user.assign({ claim: ({ event }) => settledIn(event)?.next, hinted: false });

/** Where a message that was settled leads. */
const SETTLED = [
  { guard: nextClaimedButDraining, target: 'releasing', actions: takeNext },
  { guard: nextClaimed, target: 'dispatching', reenter: true, actions: takeNext },
  {
    guard: moreWaiting,
    target: 'claiming',
    actions: [user.assign({ claim: undefined, hinted: false }), 'freeSlot'],
  },
  { target: 'idle' },
] as const;

/**
 * One user's queue at work: idle → claiming → dispatching → streaming → idle.
 *
 * The machine holds no message and does no I/O. Its effects (claim, open, backOff, relay, release) begin where a
 * state is entered, are broken off where it is left, and tell what came of them as events. Invoked as promise actors they
 * would cost as much again as all the rest of a message's life in XState.
 *
 * A transition costs 4 µs, 5 between states within states, and all of them make half of the broker's garbage. So there are
 * few states, side by side, and what needs no decision of the machine is one effect.
 */
export const userMachine = user.createMachine({
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
    drain: { actions: drain },
    abort: { actions: drain },
  },
  states: {
    idle: {
      entry: [assign({ claim: undefined }), 'freeSlot', 'reportIdle'],
      // However a queue was left, a hint that came meanwhile is worth one look. It is forgotten with that, so a
      // claim that fails costs one try a hint and no loop; without a hint the sweeper brings the queue back.
      always: { guard: hinted, target: 'claiming', actions: assign({ hinted: false }) },
      on: {
        work: { guard: notDraining, target: 'claiming' },
        retire: 'retired',
      },
    },

    claiming: {
      entry: 'claim',
      exit: 'leave',
      on: {
        'claim.done': [
          { guard: claimedOne, target: 'dispatching', actions: assign({ claim: ({ event }) => event.output }) },
          { target: 'idle' },
        ],
        // The queue stays in the store's index of due work, so the sweeper brings it back.
        'claim.failed': { target: 'idle', actions: { type: 'reportFault', params: ({ event }) => event } },
        drain: { target: 'idle', actions: drain },
        abort: { target: 'idle', actions: drain },
      },
    },

    dispatching: {
      entry: { type: 'open', params: ({ context }) => ({ claim: claimed(context) }) },
      exit: 'leave',
      on: {
        ...GIVEN_UP,
        'open.done': [
          { guard: callOpen, target: 'streaming' },
          { guard: refusedWhileDraining, target: 'releasing' },
          { guard: refused, target: 'backingOff' },
          ...SETTLED,
        ],
        'open.failed': { target: 'releasing', actions: { type: 'reportFault', params: ({ event }) => event } },
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
        ...GIVEN_UP,
        'backOff.done': [
          { guard: claimedOne, target: 'dispatching', actions: assign({ claim: ({ event }) => event.output }) },
          { target: 'releasing' },
        ],
        'backOff.failed': { target: 'releasing', actions: { type: 'reportFault', params: ({ event }) => event } },
        drain: { target: 'releasing', actions: drain },
      },
    },

    streaming: {
      entry: { type: 'relay', params: ({ context }) => ({ claim: claimed(context) }) },
      exit: 'leave',
      on: {
        ...GIVEN_UP,
        'relay.done': SETTLED,
        'relay.failed': { target: 'releasing', actions: { type: 'reportFault', params: ({ event }) => event } },
      },
    },

    releasing: {
      entry: { type: 'release', params: ({ context }) => ({ claim: claimed(context) }) },
      exit: 'leave',
      on: {
        'release.done': 'idle',
        // A claim that cannot be handed over runs out by its lease.
        'release.failed': { target: 'idle', actions: { type: 'reportFault', params: ({ event }) => event } },
      },
    },

    retired: { type: 'final' },
  },
});
