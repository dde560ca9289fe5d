import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Claim, Destination, Opening, Outcome, Settled } from '../../machines/events.ts';
import { backOffMs } from '../back-off.ts';
import { reasonOf } from '../content.ts';
import { ClaimLost, causeOf, StoreUnavailable } from '../errors.ts';
import { writeLine } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { CANCELLED, processingEvent } from '../store/events.ts';
import { persist } from '../store/persist.ts';
import type { ClaimedMessage, Store } from '../store/store.ts';
import { storyOf } from '../trace.ts';
import { failed, type Opened, type Worker } from '../worker/worker.ts';
import type { Leases } from './leases.ts';
import { Relay } from './relay.ts';
import type { Slots } from './slots.ts';
import { Turn } from './turn.ts';
import type { WorkerHealth } from './worker-health.ts';

const FIRST_BACK_OFF_MS = 250;
const LONGEST_BACK_OFF_MS = 30_000;
/** A worker that asks for more patience than this is asked again sooner: its queue stands still meanwhile. */
const LONGEST_RETRY_AFTER_MS = 300_000;

/** A message on its way into the store, which claims it there if it is alone. */
export type Arrival = {
  /** Before it was sent, in `performance.now()` time. */
  readonly sentAt: number;
  /** Undefined when it was not claimed; fails when that is not known. */
  readonly claimed: Promise<ClaimedMessage | undefined>;
};

/** What a user's machine does to the world: one method for each of its effects. */
export class Effects {
  readonly #store: Store;
  readonly #worker: Worker;
  readonly #slots: Slots;
  readonly #leases: Leases;
  readonly #health: WorkerHealth;
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #maxAttempts: number;
  readonly #deliver: (destination: Destination) => void;
  /** So many store calls are under way that outlive the state that made them. */
  #unfinished = 0;
  /** Resolved when there are none any more. */
  #finishing: PromiseWithResolvers<void> | undefined;

  constructor(parts: {
    store: Store;
    worker: Worker;
    slots: Slots;
    leases: Leases;
    health: WorkerHealth;
    log: Logger;
    metrics: Metrics;
    maxAttempts: number;
    /** Told that a callback may be due. */
    deliver: (destination: Destination) => void;
  }) {
    this.#store = parts.store;
    this.#worker = parts.worker;
    this.#slots = parts.slots;
    this.#leases = parts.leases;
    this.#health = parts.health;
    this.#log = parts.log;
    this.#metrics = parts.metrics;
    this.#maxAttempts = parts.maxAttempts;
    this.#deliver = parts.deliver;
  }

  /** How many slots nobody holds. */
  get slotsFree(): number {
    return this.#slots.free;
  }

  /** Takes over what arrives and was claimed; else waits for a slot, then claims the head of the queue. */
  async claim(queue: string, signal: AbortSignal, arrival?: Arrival): Promise<Turn | undefined> {
    if (arrival) {
      const begun = await this.#track(this.#arrive(queue, signal, arrival));
      if (begun) return begun;
    }
    return this.#persist(async () => {
      await this.#slots.acquire(queue, signal);
      try {
        return await this.#track(this.#claimHead(queue, signal));
      } catch (error) {
        // Once the state was left the slot may be that of the next actor of this queue.
        if (!signal.aborted) this.#slots.release(queue);
        throw error;
      }
    }, signal);
  }

  /** The claim that came with what arrives, if there is one. */
  async #arrive(queue: string, signal: AbortSignal, { sentAt, claimed }: Arrival): Promise<Turn | undefined> {
    this.#slots.reserve(queue);
    const answer = await claimed.then(
      (message) => ({ message }),
      () => undefined,
    );
    if (answer) return this.#take(answer.message, sentAt, signal);
    // It may have been claimed by a call whose answer was lost: then this finds the same claim.
    return this.#persist(() => this.#claimHead(queue, signal), signal);
  }

  async #claimHead(queue: string, signal: AbortSignal): Promise<Turn | undefined> {
    // Who waited in line may have left since.
    signal.throwIfAborted();
    this.#slots.reserve(queue);
    const sentAt = performance.now();
    return this.#take(await this.#store.claim(queue), sentAt, signal);
  }

  async #take(message: ClaimedMessage | undefined, sentAt: number, signal: AbortSignal): Promise<Turn | undefined> {
    if (!message) return undefined;
    const turn = new Turn(message);
    if (signal.aborted || !this.#hold(turn, sentAt)) {
      // Nobody waits for this claim any more, or its answer took too long: it goes back at once rather than by its lease.
      await this.#giveBack(turn, signal);
      return undefined;
    }
    if (!this.#slots.take(turn.queue) && !(await this.#waitsInLine(turn, signal))) return undefined;
    if (turn.attempt > 1) writeLine(this.#log, 'info', 'claimed again', () => storyOf(turn));
    return turn;
  }

  /** What lost its slot while the store was asked, for too long, keeps its claim until it has one. False: it is given up. */
  async #waitsInLine(turn: Turn, signal: AbortSignal): Promise<boolean> {
    const place = await this.#acquire(turn, signal).catch(() => 'left');
    // It may have run out meanwhile: then another broker works on it.
    if (place === 'slot' || place === 'cancelled') return this.#leases.holds(turn);
    this.#leases.drop(turn);
    await this.#giveBack(turn, signal);
    return false;
  }

  /** Waits until a claim has a slot, its message is cancelled, or calls are stopped. */
  async #acquire(turn: Turn, signal: AbortSignal): Promise<'slot' | 'cancelled' | 'stopped'> {
    try {
      if (turn.cancelled.aborted) return 'cancelled';
      if (!this.#slots.take(turn.queue)) {
        await this.#slots.acquire(turn.queue, AbortSignal.any([signal, turn.cancelled, this.#slots.stopped]));
      }
      return 'slot';
    } catch (error) {
      if (signal.aborted) throw error;
      return turn.cancelled.aborted ? 'cancelled' : 'stopped';
    }
  }

  /** Hands over at once what nobody has begun; unless nobody waits here any more, until the store answers. */
  #giveBack(turn: Turn, signal: AbortSignal): Promise<void> {
    const release = () => this.#store.release(turn, turn.handover);
    // The slot may be that of the next actor of this queue.
    if (signal.aborted) return release();
    this.#slots.release(turn.queue);
    return this.#persist(release, signal);
  }

  /**
   * Makes the worker call, up to its first event. What ends without any is settled; while it `proceeds`, the next claim is
   * taken in the same step.
   */
  async open(claim: Claim, signal: AbortSignal, proceeds: () => boolean): Promise<Opening> {
    const turn = Turn.of(claim);
    const over = async (outcome: Outcome): Promise<Opening> => ({
      type: 'settled',
      ...(await this.#settle(turn, outcome, proceeds(), signal)),
    });
    if (turn.cancelled.aborted) return over(CANCELLED);
    if (turn.attempt > this.#maxAttempts) {
      return over(failed('attempts_exhausted', `The message did not get through in ${this.#maxAttempts} attempts.`));
    }
    writeLine(this.#log, 'info', 'dispatched', () => storyOf(turn));
    const opened = await this.#call(turn, signal);
    switch (opened.type) {
      case 'opened':
        return opened;
      case 'ended':
        return over(opened.outcome);
      case 'refused': {
        if (turn.attempt >= this.#maxAttempts) {
          const error = `After ${turn.attempt} attempts ${opened.reason}. Send the message again later.`;
          return over(failed('worker_unavailable', error));
        }
        const retryAfterMs = Math.min(opened.retryAfterMs, LONGEST_RETRY_AFTER_MS);
        const delayMs = Math.max(retryAfterMs, backOffMs(FIRST_BACK_OFF_MS, LONGEST_BACK_OFF_MS, turn.attempt - 1));
        // Whoever comes next has to wait as well, should this broker stop now.
        turn.dueAt = performance.now() + delayMs;
        return { type: 'refused', delayMs, reason: opened.reason };
      }
    }
  }

  /** The worker call, broken off when the state is left or the message cancelled. The worker's health hears how it went. */
  async #call(turn: Turn, signal: AbortSignal): Promise<Opened> {
    const { messageId: id, attempt, trace } = turn;
    turn.called = true;
    const calledAt = performance.now();
    const call = this.#worker.call({ id, attempt, trace, takePayload: () => turn.takePayload() });
    turn.call = call;
    signal.addEventListener('abort', () => call.close());
    try {
      const opened = await this.#worker.opened(call);
      this.#metrics.workerCalls.inc({ outcome: opened.type });
      if (opened.type === 'opened') {
        turn.calledAt = calledAt;
        this.#metrics.firstEvent.observe((performance.now() - calledAt) / 1000);
      }
      if (opened.type === 'opened' || opened.reached) this.#health.reached();
      else this.#health.unreachable(turn.queue);
      return opened;
    } catch (error) {
      if (turn.cancelled.aborted && !signal.aborted) return { type: 'ended', reached: true, outcome: CANCELLED };
      throw error;
    }
  }

  /**
   * Records the next attempt, waits until it is due and has a slot again. Undefined when no calls are made here by then:
   * another broker may reach the worker.
   */
  async backOff(claim: Claim, delayMs: number, reason: string, signal: AbortSignal): Promise<Turn | undefined> {
    const turn = Turn.of(claim);
    writeLine(this.#log, 'warn', 'retrying', () => ({ ...storyOf(turn), reason }));
    const next = new Turn(await this.#persist(() => this.#store.retry(turn, turn.last, reason), signal), turn);
    this.#leases.advance(next);
    turn.called = false;
    turn.dueAt = performance.now() + delayMs;
    await delay(delayMs, undefined, { signal: AbortSignal.any([signal, turn.cancelled]) }).catch((error: unknown) => {
      if (signal.aborted) throw error;
    });
    const before = await this.#acquire(next, signal);
    if (before !== 'slot') return before === 'cancelled' ? next : undefined;
    this.#slots.reserve(next.queue);
    await this.#persist(() => this.#leases.confirm(next), signal);
    if (next.cancelled.aborted) return next;
    const processing = [processingEvent(next.messageId, next.attempt)];
    await this.#persist(() => this.#store.append(next, next.last, processing), signal);
    next.last += processing.length;
    // It may have lost its slot while the store was asked.
    return (await this.#acquire(next, signal)) === 'stopped' ? undefined : next;
  }

  /**
   * Moves the worker's events into the log, to the end of the call, and settles the message; while it `proceeds`, the next
   * claim is taken in the same step.
   */
  async relay(claim: Claim, signal: AbortSignal, proceeds: () => boolean): Promise<Settled> {
    const turn = Turn.of(claim);
    const outcome = await this.#relayed(turn, signal);
    return this.#settle(turn, outcome, proceeds(), signal);
  }

  async #relayed(turn: Turn, signal: AbortSignal): Promise<Outcome> {
    const { call } = turn;
    if (!call) throw new Error('a turn was relayed before its call was opened');
    signal.addEventListener('abort', () => call.close());
    try {
      return await new Relay({
        turn,
        call,
        append: (last, events) => this.#persist(() => this.#store.append(turn, last, events), signal),
        keepalive: (data) => this.#store.keepalive(turn, data),
        broken: (error) => this.#broken(turn, error, signal),
      }).run();
    } finally {
      call.close();
    }
  }

  /** How a message ends whose stream broke. That the worker is gone is the first that comes to mind. */
  #broken(turn: Turn, error: unknown, signal: AbortSignal): Outcome {
    if (turn.cancelled.aborted) return CANCELLED;
    if (!signal.aborted) this.#health.unreachable(turn.queue);
    return this.#worker.broken(error);
  }

  /**
   * Writes the end. Goes on to the next message only while no other user waits for the slot (G7), and holds none against
   * them meanwhile: the store may be long in answering.
   */
  async #settle(turn: Turn, outcome: Outcome, proceed: boolean, signal: AbortSignal): Promise<Settled> {
    // Nobody waits for this end any more: the claim is handed over as it is.
    signal.throwIfAborted();
    // A message that was cancelled while it backed off has none to keep.
    const goOn = this.#slots.keep(turn.queue) && proceed;
    // No longer renewed: a renewal on its way beside the settling would find the token gone and call the claim lost.
    this.#leases.drop(turn);
    const workedMs = turn.calledAt === undefined ? undefined : performance.now() - turn.calledAt;
    let sentAt = 0;
    const settled = await this.#track(
      this.#persist(() => {
        sentAt = performance.now();
        return this.#store.settle(turn, turn.last, turn.pending, outcome, goOn);
      }, signal),
    );
    this.#metrics.ended(workedMs);
    const level = outcome.status === 'failed' ? 'warn' : 'info';
    writeLine(this.#log, level, 'ended', () => ({ ...storyOf(turn), status: outcome.status, ...failureOf(outcome) }));
    this.#callBack(turn);
    const next = settled.next && new Turn(settled.next);
    const takesOver = () => !signal.aborted && this.#slots.take(turn.queue);
    if (!next || (takesOver() && this.#hold(next, sentAt))) return { outcome, next, waiting: settled.waiting };
    await this.#track(this.#giveBack(next, signal));
    return { outcome, next: undefined, waiting: true };
  }

  #hold(turn: Turn, sentAt: number): boolean {
    if (!this.#leases.hold(turn, sentAt)) return false;
    if (turn.attempt === 1) this.#metrics.claimed(turn.waitedMs);
    if (turn.callback?.from === 'start') this.#callBack(turn);
    return true;
  }

  #callBack({ queue, callback }: Turn): void {
    if (callback) this.#deliver({ queue, url: callback.url });
  }

  /** Hands an unfinished claim over to whoever comes next. */
  async release(claim: Claim): Promise<void> {
    const turn = Turn.of(claim);
    turn.call?.close();
    this.#leases.drop(turn);
    await this.#track(this.#store.release(turn, turn.handover));
    writeLine(this.#log, turn.called ? 'warn' : 'info', 'handed over', () => storyOf(turn));
  }

  /** The message was cancelled: whatever is done for it breaks off, and soon answers that it has ended so. */
  cancel(turn: Turn): void {
    turn.cancel();
  }

  freeSlot(queue: string): void {
    this.#slots.release(queue);
  }

  /** `claim`: what was in hand. */
  reportFault(queue: string, claim: Claim | undefined, error: unknown): void {
    const known = error instanceof ClaimLost || error instanceof StoreUnavailable;
    const about = claim ? storyOf(Turn.of(claim)) : { queue };
    if (known) this.#log.warn({ ...about, reason: causeOf(error) }, 'a queue was left for now');
    else this.#log.error({ ...about, err: error }, 'a queue was left for now');
  }

  /** Gives back what a queue holds here after its actor broke. */
  async abandon(queue: string, error: unknown): Promise<void> {
    const turn = this.#leases.take(queue);
    this.#log.error({ ...(turn ? storyOf(turn) : { queue }), err: error }, "a queue's actor broke");
    try {
      this.#slots.release(queue);
      if (turn) await this.release(turn);
    } catch (fault) {
      this.reportFault(queue, turn, fault);
    }
  }

  /** Resolves when none of the store calls is under way that outlive the state that made them; a stop waits for that. */
  async finished(): Promise<void> {
    // One that has finished may have begun another.
    while (this.#unfinished) {
      this.#finishing ??= Promise.withResolvers();
      await this.#finishing.promise;
    }
  }

  /** What the worker said must not be lost to an outage of the store. */
  #persist<Result>(call: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    return persist(call, signal, this.#log);
  }

  #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#unfinished += 1;
    const finish = () => {
      this.#unfinished -= 1;
      if (this.#unfinished) return;
      this.#finishing?.resolve();
      this.#finishing = undefined;
    };
    work.then(finish, finish);
    return work;
  }
}

/** Why a message ended otherwise than completed, without the worker's own words: they may hold some of the message. */
function failureOf(outcome: Outcome): { readonly code?: string; readonly reason?: string } {
  if (outcome.status === 'completed') return {};
  const { code, error } = outcome;
  return { code, reason: reasonOf(code, error, false) };
}
