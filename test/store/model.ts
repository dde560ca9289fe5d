import type { Outcome } from '../../machines/events.ts';
import type { Handover, MessageStatus, NewMessage } from '../../src/store/store.ts';

/** How a message stands in the model, its log by the names and data of its events. */
export type ModelMessage = {
  readonly message: NewMessage;
  status: MessageStatus;
  attempts: number;
  log: string[];
  /** Id of the first event of the log. */
  first: number;
};

/**
 * The claim of a queue. `holder`: the number of the claim, undefined once it was given up. `told`: nothing was written since
 * it was said that there will be another attempt.
 */
type Held = { readonly id: string; holder: number | undefined; unused: boolean; told: boolean; cancelled: boolean };

type Queue = { waiting: string[]; held: Held | undefined };

export type ModelClaim = {
  readonly queue: string;
  readonly messageId: string;
  readonly attempt: number;
  readonly holder: number;
};

/** What a store must do, as plainly as it can be said: one broker, no time, everything in memory. */
export class Model {
  readonly messages = new Map<string, ModelMessage>();
  readonly #queues = new Map<string, Queue>();
  readonly #keys = new Map<string, string>();
  readonly #most: number;
  #claims = 0;

  constructor(most: number) {
    this.#most = most;
  }

  enqueue(message: NewMessage) {
    const queue = this.#queue(message.queue);
    if (this.messages.has(message.id)) return { type: 'queued' as const };
    for (const key of message.deduplicationKeys) {
      const first = this.#keys.get(keyOf(message.queue, key));
      if (first) return { type: 'duplicate' as const, id: first, status: this.#get(first).status };
    }
    if (message.ifBusy === 'reject' && (queue.held || queue.waiting.length)) return { type: 'busy' as const };
    if (message.ifBusy === 'interrupt') {
      this.clear(message.queue);
      if (queue.held?.holder !== undefined) queue.held.cancelled = true;
      else if (queue.held) {
        this.#end(this.#get(queue.held.id), 'cancelled');
        queue.held = undefined;
      }
    }
    if (queue.waiting.length >= this.#most) return { type: 'full' as const };
    for (const key of message.deduplicationKeys) this.#keys.set(keyOf(message.queue, key), message.id);
    queue.waiting.push(message.id);
    this.messages.set(message.id, { message, status: 'queued', attempts: 0, log: ['queued'], first: 1 });
    return { type: 'queued' as const };
  }

  requeue(queueId: string, id: string) {
    const found = this.#find(queueId, id);
    if (!found) return undefined;
    if (found.status !== 'failed') return { type: 'not_failed' as const };
    const { waiting } = this.#queue(queueId);
    if (waiting.length >= this.#most) return { type: 'full' as const };
    waiting.push(id);
    const first = found.first + found.log.length;
    Object.assign(found, { status: 'queued', attempts: 0, log: ['queued'], first });
    return { type: 'queued' as const };
  }

  cancel(queueId: string, id: string) {
    const found = this.#find(queueId, id);
    if (!found) return undefined;
    const queue = this.#queue(queueId);
    if (found.status === 'queued') {
      queue.waiting = queue.waiting.filter((other) => other !== id);
      this.#end(found, 'cancelled');
      return { type: 'cancelled' as const };
    }
    if (found.status !== 'processing') return { type: 'ended' as const };
    if (queue.held?.holder !== undefined) {
      queue.held.cancelled = true;
      return { type: 'cancelling' as const };
    }
    queue.held = undefined;
    this.#end(found, 'cancelled');
    return { type: 'cancelled' as const };
  }

  clear(queueId: string): number {
    const queue = this.#queue(queueId);
    const ids = queue.waiting.splice(0);
    for (const id of ids) this.#end(this.#get(id), 'cancelled');
    return ids.length;
  }

  claim(queueId: string): ModelClaim | undefined {
    const queue = this.#queue(queueId);
    const { held } = queue;
    if (!held) return this.#claimNext(queueId);
    const found = this.#get(held.id);
    if (held.cancelled) {
      queue.held = undefined;
      this.#end(found, 'cancelled');
      return this.#claimNext(queueId);
    }
    if (held.told) found.attempts -= 1;
    if (!held.unused && !held.told) found.log.push('retrying');
    return this.#take(queueId, held.id);
  }

  append(claim: ModelClaim, events: readonly string[]): boolean {
    if (!this.holds(claim)) return false;
    this.#get(claim.messageId).log.push(...events);
    if (events.length) this.#held(claim).told = false;
    return true;
  }

  retry(claim: ModelClaim): boolean {
    if (!this.holds(claim)) return false;
    const found = this.#get(claim.messageId);
    found.attempts = claim.attempt + 1;
    found.log.push('retrying');
    this.#held(claim).told = true;
    return true;
  }

  /** The next claim, `false` when this one was lost. */
  settle(
    claim: ModelClaim,
    events: readonly string[],
    outcome: Outcome,
    proceed: boolean,
  ): ModelClaim | undefined | false {
    if (!this.holds(claim)) return false;
    const found = this.#get(claim.messageId);
    found.log.push(...events);
    this.#queue(claim.queue).held = undefined;
    this.#end(found, outcome.status);
    return proceed ? this.#claimNext(claim.queue) : undefined;
  }

  release(claim: ModelClaim, handover: Handover): void {
    if (!this.holds(claim)) return;
    const held = this.#held(claim);
    const called = handover.called && !held.told;
    Object.assign(held, { holder: undefined, unused: !called, told: false });
    if (!called) this.#get(claim.messageId).attempts -= 1;
  }

  holds({ queue, holder }: ModelClaim): boolean {
    return this.#queue(queue).held?.holder === holder;
  }

  isCancelled({ queue }: ModelClaim): boolean {
    return this.#queue(queue).held?.cancelled === true;
  }

  waiting(queueId: string): readonly string[] {
    return this.#queue(queueId).waiting;
  }

  processing(queueId: string): string | undefined {
    return this.#queue(queueId).held?.id;
  }

  counts() {
    const queues = [...this.#queues.values()];
    return {
      activeQueues: queues.filter(({ waiting, held }) => waiting.length || held).length,
      waiting: queues.reduce((sum, { waiting }) => sum + waiting.length, 0),
      processing: queues.filter(({ held }) => held).length,
    };
  }

  /** Queues that can be claimed. */
  due(): readonly string[] {
    const due = [...this.#queues].filter(([, { waiting, held }]) =>
      held ? held.holder === undefined : waiting.length,
    );
    return due.map(([queue]) => queue);
  }

  deadLetters(): readonly string[] {
    return [...this.messages].filter(([, { status }]) => status === 'failed').map(([id]) => id);
  }

  #claimNext(queueId: string): ModelClaim | undefined {
    const id = this.#queue(queueId).waiting.shift();
    return id === undefined ? undefined : this.#take(queueId, id);
  }

  #take(queueId: string, id: string): ModelClaim {
    const found = this.#get(id);
    this.#claims += 1;
    found.attempts += 1;
    found.status = 'processing';
    found.log.push('processing');
    this.#queue(queueId).held = { id, holder: this.#claims, unused: false, told: false, cancelled: false };
    return { queue: queueId, messageId: id, attempt: found.attempts, holder: this.#claims };
  }

  #held({ queue }: ModelClaim): Held {
    const { held } = this.#queue(queue);
    if (!held) throw new Error(`The model knows of no claim in ${queue}`);
    return held;
  }

  #end(found: ModelMessage, status: Outcome['status']): void {
    found.status = status;
    found.log.push(status === 'completed' ? 'done' : 'error');
  }

  #find(queueId: string, id: string): ModelMessage | undefined {
    const found = this.messages.get(id);
    return found?.message.queue === queueId ? found : undefined;
  }

  #get(id: string): ModelMessage {
    const found = this.messages.get(id);
    if (!found) throw new Error(`The model does not know ${id}`);
    return found;
  }

  #queue(id: string): Queue {
    const queue = this.#queues.get(id) ?? { waiting: [], held: undefined };
    this.#queues.set(id, queue);
    return queue;
  }
}

function keyOf(queue: string, key: string): string {
  return JSON.stringify([queue, key]);
}
