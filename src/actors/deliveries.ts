import PQueue from 'p-queue';
import type { Logger } from 'pino';
import { Webhook } from 'standardwebhooks';
import { type Actor, createActor, fromPromise } from 'xstate';
import { deliveryMachine } from '../../machines/delivery.ts';
import type { DeliveryClaim, Destination, Posted, Tidings } from '../../machines/events.ts';
import { backOffMs } from '../back-off.ts';
import type { Composer } from '../callbacks/composer.ts';
import { Delivery } from '../callbacks/delivery.ts';
import type { Endpoints } from '../callbacks/endpoint.ts';
import type { Tokens } from '../callbacks/tokens.ts';
import { ClaimLost, causeOf, StoreUnavailable } from '../errors.ts';
import { writeLine } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Register } from '../register.ts';
import type { DeliveryEnd, Outbox } from '../store/outbox.ts';
import { persist } from '../store/persist.ts';
import { storyOf, traceHeaders } from '../trace.ts';
import type { Inspection } from './inspection.ts';
import { StateCounts } from './state-counts.ts';

type Parts = {
  readonly outbox: Outbox;
  readonly composer: Composer;
  readonly endpoints: Endpoints;
  readonly tokens: Tokens;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Signs results as the Standard Webhooks specification says; undefined: they are not signed. */
  readonly secret: string | undefined;
  /** For so long a callback is tried. */
  readonly retryMs: number;
  readonly leaseMs: number;
  readonly inspection?: Inspection;
};

/** Attempts at once at one URL: one that does not answer holds up its own callbacks only (G7). */
const AT_ONE_URL = 16;
const FIRST_BACK_OFF_MS = 1000;
const LONGEST_BACK_OFF_MS = 300_000;
/** What could not be composed is looked at again after so long. */
const AGAIN_MS = 1000;

/** The callbacks this broker makes: one actor for each destination that has one due. */
export class Deliveries {
  readonly #parts: Parts;
  readonly #webhook: Webhook | undefined;
  readonly #machine: typeof deliveryMachine;
  readonly #live = new Register<string, Actor<typeof deliveryMachine>>();
  readonly #states = new StateCounts();
  readonly #claims = new Register<string, Delivery>();
  readonly #lines = new Map<string, PQueue>();
  readonly #renewing: NodeJS.Timeout;
  #draining = false;
  #onGone: () => void = () => {};

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#webhook = parts.secret === undefined ? undefined : new Webhook(parts.secret);
    this.#machine = this.#provided();
    this.#renewing = setInterval(() => void this.#renew(), parts.leaseMs / 4);
  }

  /** How many destinations are in which state. */
  get states(): Readonly<Record<string, number>> {
    return this.#states.counts;
  }

  /** A destination may have a callback due. A hint that may come too often. */
  hint(destination: Destination): void {
    const key = keyOf(destination);
    if (this.#draining || this.#live.has(key)) return;
    const actor = createActor(this.#machine, { id: key, input: { destination }, ...this.#parts.inspection });
    this.#live.set(key, actor);
    this.#states.follow(actor);
    const gone = () => {
      this.#live.delete(key);
      this.#forget(key);
      if (!this.#live.size) this.#onGone();
    };
    actor.subscribe({
      complete: gone,
      error: (error) => {
        this.#parts.log.error({ ...this.#about(destination), err: error }, "a delivery's actor broke");
        gone();
      },
    });
    actor.start();
  }

  /** Claims nothing more, and resolves when the attempts in hand are over; after `limitMs` they are broken off. */
  async stop(limitMs: number): Promise<void> {
    this.#draining = true;
    const tell = (type: 'drain' | 'abort') => {
      for (const actor of [...this.#live.values()]) actor.send({ type });
    };
    const gone = new Promise<void>((resolve) => {
      this.#onGone = resolve;
    });
    tell('drain');
    const timer = setTimeout(() => tell('abort'), limitMs);
    if (this.#live.size) await gone;
    clearTimeout(timer);
    clearInterval(this.#renewing);
  }

  #provided(): typeof deliveryMachine {
    const { outbox, composer, log } = this.#parts;
    return deliveryMachine.provide({
      actors: {
        claim: fromPromise(async ({ input: { destination } }): Promise<DeliveryClaim | undefined> => {
          const key = keyOf(destination);
          this.#forget(key);
          const claimed = await outbox.claim(destination);
          if (!claimed) return undefined;
          const delivery = new Delivery(claimed);
          this.#claims.set(key, delivery);
          return delivery;
        }),
        compose: fromPromise(({ input, signal }) => composer.compose(Delivery.of(input.claim), signal)),
        post: fromPromise(({ input, signal }) => this.#post(Delivery.of(input.claim), input.tidings, signal)),
        settle: fromPromise(({ input }) => this.#settle(Delivery.of(input.claim), input.posted)),
        putOff: fromPromise(({ input }) => this.#putOff(Delivery.of(input.claim), input.posted)),
      },
      actions: {
        reportFault: ({ context }, { error }) => {
          const known = error instanceof ClaimLost || error instanceof StoreUnavailable;
          const about = this.#about(context.destination);
          if (known) log.warn({ ...about, reason: causeOf(error) }, 'a callback was left for now');
          else log.error({ ...about, err: error }, 'a callback was left for now');
        },
      },
    });
  }

  /** What log lines say of what is in hand for a destination. */
  #about(destination: Destination) {
    const delivery = this.#claims.get(keyOf(destination));
    return delivery ? storyOf(delivery) : { queue: destination.queue };
  }

  #forget(key: string): void {
    const delivery = this.#claims.take(key);
    if (delivery) this.#parts.composer.leave(delivery);
  }

  async #post(delivery: Delivery, tidings: Tidings, signal: AbortSignal): Promise<Posted> {
    if (tidings.type === 'silent') return { type: 'delivered' };
    if (delivery.refused) return { type: 'refused', error: delivery.refused };
    const headers = this.#headersOf(delivery, tidings);
    if (!headers) {
      return { type: 'refused', error: 'the key that the client called with is none of BROKER_API_KEY any more' };
    }
    if (tidings.type === 'end') delivery.postedAt ??= performance.now() - delivery.triedForMs;
    const { url } = delivery;
    const answer = await this.#inTurn(url, () => this.#parts.endpoints.post(url, headers, tidings.body, signal));
    // What is told of progress is tried once: the end is what matters, and is not to wait for it.
    if (tidings.type === 'progress') {
      this.#parts.composer.told(delivery, answer.type === 'accepted');
      const { outbox, log } = this.#parts;
      // Forgotten, it would be told again.
      await persist(() => outbox.checkpoint(delivery, delivery.checkpoint), signal, log);
    }
    if (answer.type === 'accepted') return { type: 'delivered' };
    if (answer.type === 'refused') {
      delivery.refused = answer.reason;
      return { type: 'refused', error: answer.reason };
    }
    const leftMs = this.#parts.retryMs - delivery.triedForMs;
    // An endpoint that asks for more patience than there is left is not asked before.
    if (leftMs <= 0 || answer.retryAfterMs > leftMs) return { type: 'refused', error: answer.reason };
    const delayMs = Math.min(
      leftMs,
      Math.max(answer.retryAfterMs, backOffMs(FIRST_BACK_OFF_MS, LONGEST_BACK_OFF_MS, delivery.attempts)),
    );
    return { type: 'failed', error: answer.reason, delayMs };
  }

  /** Undefined when the client's key is not known any more. */
  #headersOf({ details, messageId, trace }: Delivery, tidings: Exclude<Tidings, { type: 'silent' }>) {
    if (details.kind === 'engine') {
      const key = this.#parts.tokens.find(details.key);
      const id = tidings.type === 'end' ? { 'webhook-id': tidings.id } : {};
      return key === undefined ? undefined : { 'x-engine-token': key, ...id, ...traceHeaders(trace) };
    }
    const id = tidings.type === 'end' ? tidings.id : messageId;
    const at = new Date();
    return {
      'webhook-id': id,
      ...traceHeaders(trace),
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      ...(this.#webhook ? { 'webhook-signature': this.#webhook.sign(id, at, tidings.body) } : {}),
    };
  }

  async #settle(delivery: Delivery, posted: Posted | undefined): Promise<boolean> {
    const end = endOf(delivery, posted);
    const { attempts, error } = end;
    const level = end.status === 'undelivered' ? 'warn' : 'info';
    const more = await this.#parts.outbox.settle(delivery, end);
    const { callbacks, callbackDelivery } = this.#parts.metrics;
    callbacks.inc({ status: end.status });
    if (delivery.postedAt !== undefined && end.status === 'delivered') {
      callbackDelivery.observe((performance.now() - delivery.postedAt) / 1000);
    }
    writeLine(this.#parts.log, level, `callback ${end.status}`, () => ({
      ...storyOf(delivery),
      callback_attempt: attempts,
      reason: error || undefined,
    }));
    return more;
  }

  async #putOff(delivery: Delivery, posted: Posted | undefined): Promise<void> {
    const { attempts } = delivery;
    if (posted?.type !== 'failed') {
      await this.#parts.outbox.postpone(delivery, { attempts: 0, error: '' }, AGAIN_MS);
      return;
    }
    const { error, delayMs } = posted;
    writeLine(this.#parts.log, 'warn', 'a callback failed', () => ({
      ...storyOf(delivery),
      callback_attempt: attempts + 1,
      reason: error,
      again_in_ms: Math.round(delayMs),
    }));
    await this.#parts.outbox.postpone(delivery, { attempts: attempts + 1, error }, delayMs);
  }

  /** One of a few at once for each URL. */
  async #inTurn<Result>(url: string, attempt: () => Promise<Result>): Promise<Result> {
    const line = this.#lines.get(url) ?? new PQueue({ concurrency: AT_ONE_URL });
    this.#lines.set(url, line);
    try {
      return await line.add(attempt);
    } finally {
      if (!line.size && !line.pending) this.#lines.delete(url);
    }
  }

  async #renew(): Promise<void> {
    const claims: readonly DeliveryClaim[] = [...this.#claims.values()];
    if (!claims.length) return;
    try {
      for (const { queue, url, token } of await this.#parts.outbox.renew(claims)) {
        this.#live.get(keyOf({ queue, url }))?.send({ type: 'claim.lost', token });
      }
    } catch (error) {
      this.#parts.log.warn({ reason: causeOf(error) }, 'claims of callbacks could not be renewed');
    }
  }
}

function endOf({ attempts }: Delivery, posted: Posted | undefined): DeliveryEnd {
  switch (posted?.type) {
    case undefined:
      return { status: 'silent', attempts, error: '' };
    case 'delivered':
      return { status: 'delivered', attempts: attempts + 1, error: '' };
    case 'failed':
    case 'refused':
      return { status: 'undelivered', attempts: attempts + 1, error: posted.error };
  }
}

function keyOf({ queue, url }: Destination): string {
  return JSON.stringify([queue, url]);
}
