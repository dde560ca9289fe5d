import { assign, fromPromise, setup } from 'xstate';
import type { DeliveryClaim, DeliveryEvent, Destination, Posted, Tidings } from './events.ts';

type Context = {
  readonly destination: Destination;
  readonly claim: DeliveryClaim | undefined;
  readonly tidings: Tidings | undefined;
  readonly posted: Posted | undefined;
  readonly draining: boolean;
};

const unprovided = () => Promise.reject(new Error('the effect is provided where the broker is wired'));

/** The claim of a state that cannot be entered without one. */
function claimed({ claim }: Context): DeliveryClaim {
  if (!claim) throw new Error('a state that needs a claim was entered without one');
  return claim;
}

function composed({ tidings }: Context): Tidings {
  if (!tidings) throw new Error('a callback was posted before it was composed');
  return tidings;
}

// Guards. Their names are what the charts show.
type Of<Output> = { readonly event: { readonly output: Output } };
type In = { readonly context: Context };

const draining = ({ context }: In) => context.draining;
const claimedOne = ({ event }: Of<DeliveryClaim | undefined>) => event.output !== undefined;
const nothingToTell = ({ event }: Of<Tidings>) => event.output.type === 'silent';
const moreToCome = ({ context }: In) => context.tidings?.type === 'progress';
const triedInVain = ({ context, event }: In & Of<Posted>) => !moreToCome({ context }) && event.output.type === 'failed';
const moreWaiting = ({ context, event }: In & Of<boolean>) => event.output && !context.draining;
const ownClaim = ({ context, event }: In & { event: { token: number } }) => event.token === context.claim?.token;

/**
 * One user's callbacks to one URL, made one after the other: claimed, composed, posted, settled.
 *
 * What is to be told next may still have to come: a message that tells of its progress is followed while it runs. An
 * attempt at the last callback of a message that failed is put off, and this actor goes; the outbox brings the
 * destination back when it is due, to whichever broker looks first.
 */
export const deliveryMachine = setup({
  types: {
    context: {} as Context,
    events: {} as DeliveryEvent,
    input: {} as { destination: Destination },
  },
  actors: {
    /** Claims the destination's oldest callback. */
    claim: fromPromise<DeliveryClaim | undefined, { destination: Destination }>(unprovided),
    /** Waits for what is to be told next of the claimed message. */
    compose: fromPromise<Tidings, { claim: DeliveryClaim }>(unprovided),
    /** Makes one attempt. Fails when it is broken off, or its claim is lost. */
    post: fromPromise<Posted, { claim: DeliveryClaim; tidings: Tidings }>(unprovided),
    /** Takes the callback out of the outbox; true when more wait. */
    settle: fromPromise<boolean, { claim: DeliveryClaim; posted: Posted | undefined }>(unprovided),
    /** Gives the claim up, until the next attempt is due. */
    putOff: fromPromise<void, { claim: DeliveryClaim; posted: Posted | undefined }>(unprovided),
  },
  actions: {
    reportFault: (_, _params: { error: unknown }) => {},
  },
}).createMachine({
  id: 'delivery',
  context: ({ input }) => ({
    destination: input.destination,
    claim: undefined,
    tidings: undefined,
    posted: undefined,
    draining: false,
  }),
  initial: 'claiming',
  on: {
    'claim.lost': { guard: ownClaim, target: '.gone' },
    drain: { actions: assign({ draining: true }) },
  },
  states: {
    claiming: {
      entry: assign({ claim: undefined, tidings: undefined, posted: undefined }),
      // A claim that is made all the same runs out by its lease.
      on: { abort: 'gone' },
      invoke: {
        src: 'claim',
        input: ({ context }) => ({ destination: context.destination }),
        onDone: [
          { guard: claimedOne, target: 'composing', actions: assign({ claim: ({ event }) => event.output }) },
          { target: 'gone' },
        ],
        onError: { target: 'gone', actions: { type: 'reportFault', params: ({ event }) => event } },
      },
    },
    composing: {
      // Whoever takes over goes on with what is in the log.
      always: { guard: draining, target: 'puttingOff' },
      on: {
        drain: { target: 'puttingOff', actions: assign({ draining: true }) },
        abort: 'puttingOff',
      },
      invoke: {
        src: 'compose',
        input: ({ context }) => ({ claim: claimed(context) }),
        onDone: [
          { guard: nothingToTell, target: 'settling' },
          { target: 'posting', actions: assign({ tidings: ({ event }) => event.output }) },
        ],
        onError: { target: 'puttingOff', actions: { type: 'reportFault', params: ({ event }) => event } },
      },
    },
    posting: {
      on: { abort: 'puttingOff' },
      invoke: {
        src: 'post',
        input: ({ context }) => ({ claim: claimed(context), tidings: composed(context) }),
        onDone: [
          { guard: triedInVain, target: 'puttingOff', actions: assign({ posted: ({ event }) => event.output }) },
          { guard: moreToCome, target: 'composing' },
          { target: 'settling', actions: assign({ posted: ({ event }) => event.output }) },
        ],
        onError: { target: 'puttingOff', actions: { type: 'reportFault', params: ({ event }) => event } },
      },
    },
    settling: {
      invoke: {
        src: 'settle',
        input: ({ context }) => ({ claim: claimed(context), posted: context.posted }),
        onDone: [{ guard: moreWaiting, target: 'claiming' }, { target: 'gone' }],
        onError: { target: 'gone', actions: { type: 'reportFault', params: ({ event }) => event } },
      },
    },
    puttingOff: {
      invoke: {
        src: 'putOff',
        input: ({ context }) => ({ claim: claimed(context), posted: context.posted }),
        onDone: 'gone',
        onError: { target: 'gone', actions: { type: 'reportFault', params: ({ event }) => event } },
      },
    },
    gone: { type: 'final' },
  },
});
