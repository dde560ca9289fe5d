import { setTimeout as delay } from 'node:timers/promises';
import { NoStream, type StreamEvent } from '../helpers/client.ts';
import { Dice } from './dice.ts';
import { isEnd } from './facts.ts';
import type { ListeningEnd, SeenEvent } from './history.ts';
import { Patience } from './patience.ts';
import type { ListenerPlan } from './plan.ts';
import type { Surroundings } from './surroundings.ts';

/** So often a listener comes and goes before it stays. */
const COMES_AND_GOES = 5;

/** Which message is listened to, and by whom. */
export type Subject = { readonly listener: string; readonly queue: string; readonly messageId: string };

/** A connection to a message's events, and what was read of it. */
export type Connection = {
  readonly stream: AsyncIterable<StreamEvent>;
  readonly events: SeenEvent[];
  /** Breaks it off. */
  readonly leave: AbortController;
};

/** Follows one message, over as many connections as it takes, at any broker. */
export class Listener {
  readonly #subject: Subject;
  readonly #kind: ListenerPlan['kind'];
  readonly #dice: Dice;
  readonly #around: Surroundings;
  readonly #patience: Patience;
  #comings = 0;
  #seen = 0;
  #hasAll = false;

  constructor(subject: Subject, { kind, seed }: ListenerPlan, around: Surroundings) {
    this.#subject = subject;
    this.#kind = kind;
    this.#dice = new Dice(seed);
    this.#around = around;
    this.#patience = new Patience(this.#dice);
  }

  /** Listens until there is nothing more to come, or it does not care any more. `first`: the connection it begins with. */
  async run(first?: Connection): Promise<void> {
    const asksOnceMore = this.#dice.chance(0.3);
    let end = await this.#connect(first);
    while (!this.#hasAll && this.#comesBackAfter(end)) {
      await this.#patience.wait();
      end = await this.#connect();
    }
    if (this.#hasAll && asksOnceMore && typeof end !== 'number') await this.#connect();
  }

  #comesBackAfter(end: ListeningEnd): boolean {
    if (end === 'waiting' || (end === 'left' && this.#kind === 'vanishes')) return false;
    return typeof end !== 'number' || end === 503;
  }

  /** One connection, from where it is to wherever that ends. */
  async #connect({ stream, events, leave } = this.#open()): Promise<ListeningEnd> {
    const { recording, givenUp } = this.#around;
    const after = this.#seen;
    const staysMs = this.#staysMs();
    const timer = staysMs === undefined ? undefined : setTimeout(() => leave.abort(), staysMs);
    let end: ListeningEnd = 'closed';
    try {
      this.#take(events);
      for await (const event of stream) {
        events.push(seen(event));
        this.#take(events.slice(-1));
        if (this.#kind === 'reads slowly') await delay(this.#dice.number(5, 30));
      }
    } catch (error) {
      if (error instanceof NoStream) end = error.status;
      else if (givenUp.aborted) end = 'waiting';
      else end = leave.signal.aborted ? 'left' : 'broken';
    }
    clearTimeout(timer);
    recording.listenings.push({ ...this.#subject, after, events, end });
    return end;
  }

  #open(): Connection {
    const { brokers, givenUp } = this.#around;
    const { queue, messageId } = this.#subject;
    const leave = new AbortController();
    const { client } = this.#dice.pick(brokers);
    const signal = AbortSignal.any([givenUp, leave.signal]);
    const stream = client.stream(queue, messageId, this.#seen ? String(this.#seen) : undefined, signal);
    return { stream, events: [], leave };
  }

  #take(events: readonly SeenEvent[]): void {
    for (const event of events) {
      this.#patience.heard();
      this.#seen = event.id ?? this.#seen;
      this.#hasAll ||= isEnd(event);
    }
  }

  /** How long it stays on one connection; undefined: to the end. */
  #staysMs(): number | undefined {
    if (this.#kind === 'vanishes') return this.#dice.number(0, 800);
    if (this.#kind !== 'comes and goes' || this.#comings === COMES_AND_GOES) return undefined;
    this.#comings += 1;
    return this.#dice.number(20, 400);
  }
}

/** An event as history has it. */
export function seen({ id, event, data }: StreamEvent): SeenEvent {
  return { id: id === undefined ? undefined : Number(id), name: event ?? '', data };
}
