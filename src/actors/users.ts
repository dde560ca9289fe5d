import { type Actor, createActor } from 'xstate';
import type { Claim, Opening, Settled, UserEffect, UserEvent } from '../../machines/events.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { userMachine } from '../../machines/user.ts';
import { StoreUnavailable } from '../errors.ts';
import { Register } from '../register.ts';
import type { ClaimedMessage, Enqueued } from '../store/store.ts';
import type { Arrival, Effects } from './effects.ts';
import type { Inspection } from './inspection.ts';
import { Resting } from './resting.ts';
import { StateCounts } from './state-counts.ts';

/** So many actors may be idle at once before they go. */
const MOST_RESTING = 1000;

/** What users do to the world: the effects of their machine. */
export type UserEffects = Omit<Effects, 'finished' | 'cancel'>;

// What came of an effect, as its user is told.
const claimDone = (output: Claim | undefined): UserEvent => ({ type: 'claim.done', output });
const openDone = (output: Opening): UserEvent => ({ type: 'open.done', output });
const backOffDone = (output: Claim | undefined): UserEvent => ({ type: 'backOff.done', output });
const relayDone = (output: Settled): UserEvent => ({ type: 'relay.done', output });
const releaseDone = (): UserEvent => ({ type: 'release.done' });

export type UserState = 'dispatching' | 'streaming';

type User = {
  readonly actor: Actor<typeof userMachine>;
  /** The effect that it has under way. */
  underWay: AbortController | undefined;
};

/** The live users of this broker: the supervisor and the actors it keeps, one for each queue that has work here. */
export class Users {
  readonly #live = new Register<string, User>();
  /** What is about to be put into a queue, while its actor is woken for it. */
  #arriving: { readonly queue: string; readonly arrival: Arrival } | undefined;
  readonly #states = new StateCounts();
  readonly #supervisor: Actor<typeof supervisorMachine>;
  readonly #machine: typeof userMachine;
  readonly #effects: UserEffects;
  /** Called when a user has nothing to do any more, so that more work can be looked for. */
  readonly #onIdle: () => void;
  readonly #resting: Resting;

  constructor(effects: UserEffects, onIdle: () => void, inspection: Inspection = {}, mostResting = MOST_RESTING) {
    this.#effects = effects;
    this.#onIdle = onIdle;
    this.#resting = new Resting(mostResting, (queue) => this.#supervisor.send({ type: 'user.idle', queue }));
    this.#machine = userMachine.provide({
      actions: {
        claim: ({ context: { queue } }) => {
          const arrival = this.#arrivalIn(queue);
          this.#begin(queue, 'claim', (signal) => effects.claim(queue, signal, arrival), claimDone);
        },
        open: ({ context: { queue } }, { claim }) =>
          this.#begin(queue, 'open', (signal) => effects.open(claim, signal, this.#proceeds), openDone),
        backOff: ({ context: { queue } }, { claim, delayMs, reason }) =>
          this.#begin(queue, 'backOff', (signal) => effects.backOff(claim, delayMs, reason, signal), backOffDone),
        relay: ({ context: { queue } }, { claim }) =>
          this.#begin(queue, 'relay', (signal) => effects.relay(claim, signal, this.#proceeds), relayDone),
        release: ({ context: { queue } }, { claim }) =>
          this.#begin(queue, 'release', () => effects.release(claim), releaseDone),
        leave: ({ context: { queue } }) => this.#leave(this.#live.get(queue)),
        // An action runs while its actor is still on its way; told at once, the supervisor would find it busy.
        reportIdle: ({ context: { queue } }) => queueMicrotask(() => this.#rest(queue)),
        freeSlot: ({ context }) => effects.freeSlot(context.queue),
        reportFault: ({ context: { queue, claim } }, { error }) => effects.reportFault(queue, claim, error),
      },
    });
    this.#supervisor = createActor(
      supervisorMachine.provide({
        actions: {
          spawn: (_, { queue }) => this.#spawn(queue),
          retire: (_, { queue }) => this.#retire(queue),
          forget: (_, { queue, error }) => this.#forget(queue, error),
          dropClaim: (_, { queue, token }) => this.#live.get(queue)?.actor.send({ type: 'claim.lost', token }),
          drainUsers: () => this.#drain(),
          abortUsers: () => this.#tell({ type: 'abort' }),
        },
      }),
      { id: 'supervisor', ...inspection },
    );
    this.#supervisor.start();
  }

  /** How many actors this broker keeps, at rest or not. */
  get size(): number {
    return this.#live.size;
  }

  /** How many of them have work. */
  get busy(): number {
    return this.#live.size - (this.states['idle'] ?? 0);
  }

  /** How many of them are in which state. */
  get states(): Readonly<Record<string, number>> {
    return this.#states.counts;
  }

  /** A queue may have work. A hint that may come too often, and carries no message. */
  hint(queue: string): void {
    const user = this.#live.get(queue);
    if (!user) {
      this.#supervisor.send({ type: 'queue.work', queue });
      return;
    }
    // A busy queue has this said for each message it gets, and will look once.
    if (user.actor.getSnapshot().context.hinted) return;
    this.#resting.remove(queue);
    user.actor.send({ type: 'work' });
  }

  /**
   * Has a message put into a queue by `enqueue`, and the queue looked at. If the queue has nothing to do here and a call can
   * be made at once, `enqueue` is asked to `begin`, and have it claimed in the same step: one round trip less. `mayBegin`:
   * false when that shall not be.
   */
  async accept<Answer extends Enqueued>(
    queue: string,
    enqueue: (begin: boolean) => Promise<Answer>,
    mayBegin: boolean,
  ): Promise<Answer> {
    const awaited = mayBegin ? this.#await(queue) : undefined;
    if (!awaited) {
      const answer = await enqueue(false);
      if (answer.type === 'queued') this.hint(queue);
      return answer;
    }
    try {
      const answer = await enqueue(true);
      awaited.resolve(answer.type === 'queued' ? answer.claimed : undefined);
      return answer;
    } catch (error) {
      if (error instanceof StoreUnavailable) awaited.reject(error);
      else awaited.resolve(undefined);
      throw error;
    }
  }

  /** What an actor waits for from now on, and does nothing else in its queue before; undefined when none does. */
  #await(queue: string): PromiseWithResolvers<ClaimedMessage | undefined> | undefined {
    if (this.#effects.slotsFree === 0 || (this.#stateOf(queue) ?? 'idle') !== 'idle') return undefined;
    const awaited = Promise.withResolvers<ClaimedMessage | undefined>();
    this.#arriving = { queue, arrival: { sentAt: performance.now(), claimed: awaited.promise } };
    try {
      this.hint(queue);
      // Once it drains, nobody looks.
      return this.#arriving ? undefined : awaited;
    } finally {
      this.#arriving = undefined;
    }
  }

  /** What arrives in a queue at this moment, once. */
  #arrivalIn(queue: string): Arrival | undefined {
    if (this.#arriving?.queue !== queue) return undefined;
    const { arrival } = this.#arriving;
    this.#arriving = undefined;
    return arrival;
  }

  /** Whether the next message of a queue is gone on to when one has ended. */
  readonly #proceeds = () => this.#supervisor.getSnapshot().value === 'running';

  claimLost(queue: string, token: number): void {
    this.#supervisor.send({ type: 'claim.lost', queue, token });
  }

  /** What this broker does for a queue; undefined when it does nothing. */
  state(queue: string): UserState | undefined {
    const state = this.#stateOf(queue) ?? 'idle';
    if (state === 'idle') return undefined;
    return state === 'streaming' ? state : 'dispatching';
  }

  /**
   * Claims nothing more and resolves when the calls in hand are over; after `limitMs` they are broken off and handed
   * over.
   */
  async drain(limitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#supervisor.subscribe({ complete: resolve });
    this.#supervisor.send({ type: 'drain' });
    const timer = setTimeout(() => this.#supervisor.send({ type: 'abort' }), limitMs);
    await promise;
    clearTimeout(timer);
  }

  /** Begins an effect of a user. What comes of it is told the user, as `done` says it, unless its state was left before. */
  #begin<Output>(
    queue: string,
    effect: UserEffect,
    run: (signal: AbortSignal) => Promise<Output>,
    done: (output: Output) => UserEvent,
  ): void {
    const user = this.#live.get(queue);
    if (!user) throw new Error('an effect was begun of a user that is not live');
    const underWay = new AbortController();
    user.underWay = underWay;
    const tell = (event: UserEvent) => {
      if (underWay.signal.aborted) return;
      user.underWay = undefined;
      user.actor.send(event);
    };
    Promise.try(run, underWay.signal).then(
      (output) => tell(done(output)),
      (error: unknown) => tell({ type: `${effect}.failed`, error }),
    );
  }

  /** Breaks off the effect that a user has under way, if there is one. */
  #leave(user: User | undefined): void {
    const underWay = user?.underWay;
    if (!user || !underWay) return;
    user.underWay = undefined;
    underWay.abort();
  }

  /** The state of a queue's actor; undefined when it has none. */
  #stateOf(queue: string) {
    return this.#live.get(queue)?.actor.getSnapshot().value;
  }

  #spawn(queue: string): void {
    // Two hints may have been on their way to the supervisor.
    if (this.#live.has(queue)) {
      this.hint(queue);
      return;
    }
    // All have one id: XState remembers for ever what is done for each type of event, and that of an actor's end has its id in it.
    const actor = createActor(this.#machine, { id: 'user', parent: this.#supervisor, input: { queue } });
    this.#live.set(queue, { actor, underWay: undefined });
    this.#states.follow(actor, (error) => this.#supervisor.send({ type: 'user.broken', queue, error }));
    actor.start();
    actor.send({ type: 'work' });
  }

  #rest(queue: string): void {
    if (this.#stateOf(queue) !== 'idle') return;
    this.#resting.add(queue);
    this.#onIdle();
  }

  #retire(queue: string): void {
    const actor = this.#live.get(queue)?.actor;
    actor?.send({ type: 'retire' });
    if (actor?.getSnapshot().status !== 'done') return;
    this.#live.delete(queue);
    this.#sayWhenGone();
  }

  /**
   * Lets go of a user whose actor broke. Its queue is still due in the store, so the next sweep wakes a new actor;
   * not sooner, or an actor that breaks each time would be made anew without a pause.
   */
  #forget(queue: string, error: unknown): void {
    const broken = this.#live.get(queue);
    if (broken?.actor.getSnapshot().status !== 'error') return;
    this.#live.delete(queue);
    // A broken actor leaves no state.
    this.#leave(broken);
    void this.#effects.abandon(queue, error);
    this.#onIdle();
    this.#sayWhenGone();
  }

  #drain(): void {
    this.#tell({ type: 'drain' });
    this.#resting.end();
    this.#sayWhenGone();
  }

  #sayWhenGone(): void {
    if (!this.#live.size) this.#supervisor.send({ type: 'users.gone' });
  }

  #tell(event: UserEvent): void {
    for (const { actor } of [...this.#live.values()]) actor.send(event);
  }
}
