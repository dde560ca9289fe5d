import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { Outcome } from '../../../machines/events.ts';
import { ClaimLost } from '../../../src/errors.ts';
import type { ClaimedMessage, Store } from '../../../src/store/store.ts';
import { Model, type ModelClaim } from '../model.ts';
import { aMessage, COMPLETED, type Declare, FAILED, logOf, type MakePlace, renew, workerEvents } from './kit.ts';

const MOST_WAITING = 4;
const QUEUES = ['a', 'b'] as const;
const CANCELLED = { status: 'cancelled', code: 'cancelled', error: 'why' } as const;

/** One call of the port. A claim is named by its number among those there have been, a message among those that are likely. */
type Step =
  | {
      readonly do: 'enqueue';
      readonly queue: string;
      readonly key: string | undefined;
      readonly ifBusy: 'enqueue' | 'reject' | 'interrupt';
      readonly begin: boolean;
    }
  | { readonly do: 'requeue' | 'cancel'; readonly queue: string; readonly message: number }
  | { readonly do: 'clear' | 'claim'; readonly queue: string }
  | { readonly do: 'append'; readonly claim: number; readonly events: readonly string[] }
  | { readonly do: 'retry' | 'renew'; readonly claim: number }
  | { readonly do: 'settle'; readonly claim: number; readonly outcome: Outcome; readonly proceed: boolean }
  | { readonly do: 'release'; readonly claim: number; readonly called: boolean };

// Mostly the same queue and the newest claim and message: what goes wrong needs several steps on one of them.
const queue = fc.constantFrom('a', 'a', 'a', 'a', 'b');
const some = fc.constantFrom(0, 0, 0, 0, 0, 1, 1, 2, 3);
const aStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('enqueue' as const),
    queue,
    key: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
    ifBusy: fc.constantFrom('enqueue', 'enqueue', 'enqueue', 'reject', 'interrupt'),
    begin: fc.boolean(),
  }),
  fc.record({ do: fc.constant('claim' as const), queue }),
  fc.record({ do: fc.constant('append' as const), claim: some, events: fc.array(fc.string(), { maxLength: 3 }) }),
  fc.record({ do: fc.constantFrom('retry', 'renew'), claim: some }),
  fc.record({
    do: fc.constant('settle' as const),
    claim: some,
    outcome: fc.constantFrom<Outcome[]>(COMPLETED, FAILED, CANCELLED),
    proceed: fc.boolean(),
  }),
  fc.record({ do: fc.constant('release' as const), claim: some, called: fc.boolean() }),
  fc.record({ do: fc.constantFrom('requeue', 'cancel'), queue, message: some }),
  fc.record({ do: fc.constant('clear' as const), queue }),
);

/** Does the same to a store and to the model, and compares what they say. */
class Pair {
  readonly #t: ExecutionContext;
  readonly #store: Store;
  readonly #model = new Model(MOST_WAITING);
  readonly #ids: string[] = [];
  /** The newest first, so that most steps concern a claim that is held. `last`: where its holder believes the log to be. */
  readonly #claims: { readonly real: ClaimedMessage; readonly model: ModelClaim; last: number }[] = [];

  constructor(t: ExecutionContext, store: Store) {
    this.#t = t;
    this.#store = store;
  }

  async step(step: Step): Promise<void> {
    const [t, store, model] = [this.#t, this.#store, this.#model];
    switch (step.do) {
      case 'enqueue': {
        const message = aMessage(step.queue, { deduplicationKeys: step.key ? [step.key] : [], ifBusy: step.ifBusy });
        const isAlone = !model.processing(step.queue) && !model.waiting(step.queue).length;
        const said = model.enqueue(message);
        const answer = await store.enqueue(message, step.begin);
        t.like(answer, said);
        if (said.type === 'queued') this.#ids.push(message.id);
        const claimed = answer.type === 'queued' ? answer.claimed : undefined;
        const begins = step.begin && isAlone && said.type === 'queued' && step.ifBusy !== 'interrupt';
        this.#claimed(claimed, begins ? model.claim(step.queue) : undefined);
        return;
      }
      case 'requeue':
      case 'cancel': {
        const id = this.#likely(step)[step.message] ?? this.#ids.at(-1) ?? 'unknown';
        const said = model[step.do](step.queue, id);
        const answer = await store[step.do](step.queue, id);
        t.is(answer?.type, said?.type);
        return;
      }
      case 'clear':
        t.is(await store.clear(step.queue), model.clear(step.queue));
        return;
      case 'claim':
        this.#claimed(await store.claim(step.queue), model.claim(step.queue));
        return;
      case 'append':
      case 'retry':
      case 'renew':
      case 'settle':
      case 'release':
        await this.#stepOfClaim(step);
    }
  }

  /** Messages with which a step has something to do, rather than only to refuse it. */
  #likely(step: Extract<Step, { message: number }>): readonly string[] {
    if (step.do === 'requeue') return this.#model.deadLetters();
    const processing = this.#model.processing(step.queue);
    return [...(processing ? [processing] : []), ...this.#model.waiting(step.queue)];
  }

  /** Everything that can be asked is answered as the model would. */
  async compare(): Promise<void> {
    const [t, store, model] = [this.#t, this.#store, this.#model];
    for (const id of QUEUES) {
      const { waiting, processing } = await store.queue(id);
      t.deepEqual(
        waiting.map((message) => message.id),
        model.waiting(id),
      );
      t.is(processing?.id, model.processing(id));
    }
    for (const [id, { message, status, attempts, log, first }] of model.messages) {
      const position = model.waiting(message.queue).indexOf(id) + 1;
      t.like(await store.message(message.queue, id), { status, attempts, position, last: first - 1 + log.length });
      const events = await logOf(store, message.queue, id);
      t.deepEqual(
        events?.map(({ name, data }) => name || data),
        log,
      );
    }
    const { due, counts } = await store.sweep(100);
    t.like(counts, model.counts());
    t.deepEqual(due.toSorted(), model.due().toSorted());
    const dead = (await store.deadLetters(100)).map(({ messageId }) => messageId);
    t.deepEqual(dead.toSorted(), model.deadLetters().toSorted());
  }

  async #stepOfClaim(step: Extract<Step, { claim: number }>): Promise<void> {
    const [t, store, model] = [this.#t, this.#store, this.#model];
    const claim = this.#claims[step.claim];
    if (!claim) return;
    switch (step.do) {
      case 'append': {
        const events = workerEvents(...step.events);
        if (await this.#heldOr(claim.model, () => store.append(claim.real, claim.last, events))) {
          model.append(
            claim.model,
            events.map(({ data }) => data),
          );
          claim.last += events.length;
        }
        return;
      }
      case 'retry': {
        let next: ClaimedMessage | undefined;
        const retry = async () => {
          next = await store.retry(claim.real, claim.last, 'why');
        };
        if (!(await this.#heldOr(claim.model, retry)) || !next) return;
        model.retry(claim.model);
        t.like(next, { attempt: claim.real.attempt + 1, last: claim.last + 1 });
        this.#claims[step.claim] = { real: next, model: { ...claim.model, attempt: next.attempt }, last: next.last };
        return;
      }
      case 'renew': {
        const { renewed, lost, cancelled } = await renew(store, [claim.real]);
        const holds = model.holds(claim.model);
        t.deepEqual([renewed.length, lost.length], holds ? [1, 0] : [0, 1]);
        t.is(cancelled.length, holds && model.isCancelled(claim.model) ? 1 : 0);
        return;
      }
      case 'settle': {
        const events = workerEvents('last');
        let next: ClaimedMessage | undefined;
        const settle = async () => {
          ({ next } = await store.settle(claim.real, claim.last, events, step.outcome, step.proceed));
        };
        if (!(await this.#heldOr(claim.model, settle))) return;
        const said = model.settle(
          claim.model,
          events.map(({ data }) => data),
          step.outcome,
          step.proceed,
        );
        this.#claimed(next, said || undefined);
        this.#claims.splice(this.#claims.indexOf(claim), 1);
        return;
      }
      case 'release': {
        const handover = { called: step.called, delayMs: 0 };
        await store.release(claim.real, handover);
        model.release(claim.model, handover);
      }
    }
  }

  /** Does something that only the holder of a claim may do; for anybody else it has to be refused. */
  async #heldOr(claim: ModelClaim, work: () => Promise<unknown>): Promise<boolean> {
    if (this.#model.holds(claim)) {
      await work();
      return true;
    }
    await this.#t.throwsAsync(work(), { instanceOf: ClaimLost });
    return false;
  }

  #claimed(real: ClaimedMessage | undefined, model: ModelClaim | undefined): void {
    this.#t.is(real?.messageId, model?.messageId);
    this.#t.is(real?.attempt, model?.attempt);
    if (!real || !model) return;
    const before = this.#claims.filter((claim) => claim.real.queue === real.queue).map((claim) => claim.real.token);
    this.#t.true(
      before.every((token) => token < real.token),
      'fencing tokens grow',
    );
    this.#claims.unshift({ real, model, last: real.last });
  }
}

/** Whatever is asked of a store in whatever order, it does what the model does. */
export function modelContract(test: Declare, aPlace: MakePlace): void {
  test('any sequence of calls leaves what it should', async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.array(aStep, { minLength: 1, maxLength: 40, size: 'max' }), async (steps) => {
        const store = await (await aPlace(t)).broker({ maxQueueLength: MOST_WAITING });
        const pair = new Pair(t, store);
        for (const [index, step] of steps.entries()) {
          await pair.step(step);
          if (index % 8 === 7) await pair.compare();
        }
        await pair.compare();
        await store.close();
      }),
      { numRuns: 60 },
    );
  });
}
