import type { Claim, Outcome } from '../../machines/events.ts';
import type {
  CancelledClaim,
  Change,
  DeadLetterPlace,
  Handover,
  LogEvent,
  NewMessage,
  Notice,
  Renewal,
  Store,
} from '../../src/store/store.ts';

/** The calls a broker makes of its store, those that change nothing when there is nothing to change last. */
export const CALLS = [
  'enqueue',
  'claim',
  'append',
  'retry',
  'settle',
  'release',
  'renew',
  'read',
  'queue',
  'sweep',
  'watch',
  'ping',
  'message',
  'deadLetters',
  'requeue',
  'cancel',
  'clear',
  'close',
] as const satisfies readonly (keyof Store)[];

/** A moment in a broker's life: before the store is asked for the `nth` time, or when it has answered and nobody knows yet. */
export type StopPoint = {
  readonly call: (typeof CALLS)[number];
  readonly nth: number;
  readonly when: 'before' | 'after';
};

/** A store that does all it is asked for, and at one point stops everything. */
export class StoppingStore implements Store {
  readonly kind: Store['kind'];
  readonly outbox: Store['outbox'];
  readonly #store: Store;
  readonly #point: StopPoint;
  readonly #stop: () => void;
  #count = 0;

  constructor(store: Store, point: StopPoint, stop: () => void) {
    this.kind = store.kind;
    this.outbox = store.outbox;
    this.#store = store;
    this.#point = point;
    this.#stop = stop;
  }

  announce(status: string, ttlMs: number) {
    return this.#store.announce(status, ttlMs);
  }

  brokers() {
    return this.#store.brokers();
  }

  delayed(limit: number) {
    return this.#store.delayed(limit);
  }

  discard(queue: string, messageId: string, only?: 'callback', by?: string) {
    return this.#store.discard(queue, messageId, only, by);
  }

  enqueue(message: NewMessage, begin?: boolean) {
    return this.#pass('enqueue', () => this.#store.enqueue(message, begin));
  }

  claim(queue: string) {
    return this.#pass('claim', () => this.#store.claim(queue));
  }

  append(claim: Claim, last: number, events: readonly LogEvent[]) {
    return this.#pass('append', () => this.#store.append(claim, last, events));
  }

  retry(claim: Claim, last: number, reason: string) {
    return this.#pass('retry', () => this.#store.retry(claim, last, reason));
  }

  settle(claim: Claim, last: number, events: readonly LogEvent[], outcome: Outcome, proceed: boolean) {
    return this.#pass('settle', () => this.#store.settle(claim, last, events, outcome, proceed));
  }

  release(claim: Claim, handover: Handover) {
    return this.#pass('release', () => this.#store.release(claim, handover));
  }

  requeue(queue: string, messageId: string, only?: 'callback', by?: string) {
    return this.#pass('requeue', () => this.#store.requeue(queue, messageId, only, by));
  }

  cancel(queue: string, messageId: string, by?: string) {
    return this.#pass('cancel', () => this.#store.cancel(queue, messageId, by));
  }

  clear(queue: string, by?: string) {
    return this.#pass('clear', () => this.#store.clear(queue, by));
  }

  message(queue: string, messageId: string) {
    return this.#pass('message', () => this.#store.message(queue, messageId));
  }

  deadLetters(limit: number, after?: DeadLetterPlace) {
    return this.#pass('deadLetters', () => this.#store.deadLetters(limit, after));
  }

  keepalive(claim: Claim, data: string) {
    this.#store.keepalive(claim, data);
  }

  onCancelled(callback: (claim: CancelledClaim) => void) {
    this.#store.onCancelled(callback);
  }

  onNotice(callback: (notice: Notice) => void) {
    this.#store.onNotice(callback);
  }

  renew(claims: readonly Claim[], tell: (claim: Claim, renewal: Renewal) => void) {
    return this.#pass('renew', () => this.#store.renew(claims, tell));
  }

  read(queue: string, messageId: string, after: number, limit: number) {
    return this.#pass('read', () => this.#store.read(queue, messageId, after, limit));
  }

  queue(queue: string) {
    return this.#pass('queue', () => this.#store.queue(queue));
  }

  sweep(limit: number) {
    return this.#pass('sweep', () => this.#store.sweep(limit));
  }

  watch(queue: string, onChange: (change: Change) => void) {
    return this.#pass('watch', () => this.#store.watch(queue, onChange));
  }

  ping() {
    return this.#pass('ping', () => this.#store.ping());
  }

  close() {
    return this.#pass('close', () => this.#store.close());
  }

  async #pass<Answer>(call: StopPoint['call'], ask: () => Promise<Answer>): Promise<Answer> {
    if (call === this.#point.call) this.#count += 1;
    const isPoint = call === this.#point.call && this.#count === this.#point.nth;
    if (isPoint && this.#point.when === 'before') this.#stop();
    const answer = await ask();
    if (isPoint) this.#stop();
    return answer;
  }
}
