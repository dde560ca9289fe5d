import { type Actor, createActor, fromPromise } from 'xstate';
import type { UserEvent } from '../../machines/events.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { userMachine } from '../../machines/user.ts';
import type { Effects } from './effects.ts';
import type { Inspection } from './inspection.ts';
import { StateCounts } from './state-counts.ts';

/** What users do to the world: the effects of their machine. */
export type UserEffects = Omit<Effects, 'finished' | 'cancel'>;

export type UserState = 'idle' | 'dispatching' | 'streaming';

/** The live users of this broker: the supervisor and the actors it keeps, one for each queue that has work here. */
export class Users {
  readonly #live = new Map<string, Actor<typeof userMachine>>();
  readonly #states = new StateCounts();
  readonly #supervisor: Actor<typeof supervisorMachine>;
  readonly #machine: typeof userMachine;
  readonly #effects: UserEffects;
  /** Called when a user has gone, so that more work can be looked for. */
  readonly #onGone: () => void;

  constructor(effects: UserEffects, onGone: () => void, inspection: Inspection = {}) {
    this.#effects = effects;
    this.#onGone = onGone;
    this.#machine = userMachine.provide({
      actors: {
        claim: fromPromise(({ input, signal }) => effects.claim(input.queue, signal)),
        open: fromPromise(({ input, signal }) => effects.open(input.claim, signal)),
        backOff: fromPromise(({ input, signal }) => effects.backOff(input.claim, input.delayMs, input.reason, signal)),
        relay: fromPromise(({ input, signal }) => effects.relay(input.claim, signal)),
        settle: fromPromise(({ input, signal }) => effects.settle(input.claim, input.outcome, input.proceed, signal)),
        release: fromPromise(({ input }) => effects.release(input.claim)),
      },
      actions: {
        // An action runs while its actor is still on its way; told at once, the supervisor would find it busy.
        reportIdle: ({ context: { queue } }) =>
          queueMicrotask(() => this.#supervisor.send({ type: 'user.idle', queue })),
        freeSlot: ({ context }) => effects.freeSlot(context.queue),
        reportFault: ({ context }, { error }) => effects.reportFault(context.queue, error),
      },
    });
    this.#supervisor = createActor(
      supervisorMachine.provide({
        actions: {
          wake: (_, { queue }) => this.#wake(queue),
          retire: (_, { queue }) => this.#retire(queue),
          forget: (_, { queue, error }) => this.#forget(queue, error),
          dropClaim: (_, { queue, token }) => this.#live.get(queue)?.send({ type: 'claim.lost', token }),
          drainUsers: () => this.#drain(),
          abortUsers: () => this.#tell({ type: 'abort' }),
        },
      }),
      { id: 'supervisor', ...inspection },
    );
    this.#supervisor.start();
  }

  /** How many actors this broker keeps. */
  get size(): number {
    return this.#live.size;
  }

  /** How many of them are in which state. */
  get states(): Readonly<Record<string, number>> {
    return this.#states.counts;
  }

  /** A queue may have work. A hint that may come too often, and carries no message. */
  hint(queue: string): void {
    this.#supervisor.send({ type: 'queue.work', queue });
  }

  claimLost(queue: string, token: number): void {
    this.#supervisor.send({ type: 'claim.lost', queue, token });
  }

  /** What this broker does for a queue; undefined when it keeps no actor for it. */
  state(queue: string): UserState | undefined {
    const snapshot = this.#live.get(queue)?.getSnapshot();
    if (!snapshot) return undefined;
    if (snapshot.matches('idle')) return 'idle';
    return snapshot.matches('streaming') ? 'streaming' : 'dispatching';
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

  #wake(queue: string): void {
    let user = this.#live.get(queue);
    if (!user) {
      user = createActor(this.#machine, { id: queue, parent: this.#supervisor, input: { queue } });
      this.#live.set(queue, user);
      this.#states.follow(user);
      user.start();
    }
    user.send({ type: 'work' });
  }

  #retire(queue: string): void {
    const user = this.#live.get(queue);
    user?.send({ type: 'retire' });
    if (user?.getSnapshot().status !== 'done') return;
    this.#live.delete(queue);
    this.#onGone();
    this.#sayWhenGone();
  }

  /**
   * Lets go of a user whose actor broke. Its queue is still due in the store, so the next sweep wakes a new actor;
   * not sooner, or an actor that breaks each time would be made anew without a pause.
   */
  #forget(queue: string, error: unknown): void {
    const broken = this.#live.get(queue)?.getSnapshot();
    if (broken?.status !== 'error') return;
    this.#live.delete(queue);
    // XState leaves the effects of a broken actor running; this is what it sends them when their state is left.
    for (const effect of Object.values(broken.children)) effect?.send({ type: 'xstate.stop' });
    void this.#effects.abandon(queue, error);
    this.#onGone();
    this.#sayWhenGone();
  }

  #drain(): void {
    this.#tell({ type: 'drain' });
    this.#sayWhenGone();
  }

  #sayWhenGone(): void {
    if (!this.#live.size) this.#supervisor.send({ type: 'users.gone' });
  }

  #tell(event: UserEvent): void {
    for (const user of [...this.#live.values()]) user.send(event);
  }
}
