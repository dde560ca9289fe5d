import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Deliveries } from '../actors/deliveries.ts';
import { healthOf } from '../actors/health.ts';
import type { Leases } from '../actors/leases.ts';
import type { Slots } from '../actors/slots.ts';
import type { Sweeper } from '../actors/sweeper.ts';
import type { Users } from '../actors/users.ts';
import type { WorkerHealth, WorkerStatus } from '../actors/worker-health.ts';
import { reasonOf } from '../content.ts';
import { cursorOf } from '../cursor.ts';
import { within } from '../patience.ts';
import type { DeadLetter, DelayedQueue, Store } from '../store/store.ts';
import type { Hub } from '../stream/hub.ts';
import type { Traffic } from '../traffic.ts';
import { Audience } from './audience.ts';
import { Fleet } from './fleet.ts';
import type { BrokerView, DeadLetterView, DelayedView, Frame, Hour, Listed, Sample, WorkerView } from './frame.ts';
import { LastHour } from './hour.ts';
import { Pace } from './pace.ts';
import { Question } from './question.ts';
import { type BrokerStatus, readStatus } from './status.ts';

const EVERY_MS = 1000;
/** A frame waits no longer for what the store is asked: it is told of with what was known before. */
const PATIENCE_MS = 500;
/** A broker that has announced nothing for so long is taken to be gone. */
const SILENT_MS = 5000;
/** So many of each list are shown. */
const SHOWN = 20;
/** So many turns are announced by each broker. */
const TURNS = 10;

type Parts = {
  readonly store: Store;
  readonly sweeper: Sweeper;
  readonly users: Users;
  readonly deliveries: Deliveries;
  readonly slots: Slots;
  readonly leases: Leases;
  readonly hub: Hub;
  readonly workerHealth: WorkerHealth;
  readonly traffic: Traffic;
  readonly log: Logger;
  readonly brokerId: string;
  readonly version: string;
  readonly showContent: boolean;
  /** False once the broker has begun to stop. */
  readonly accepting: () => boolean;
};

/**
 * How things stand, for people. Once a second this broker announces itself in the store, takes in what the others
 * announced, and keeps a sample. While dashboards are open it also asks who waits longest and for the dead letters, and
 * writes all of them the same frame. None of this grows with the number of users.
 */
export class Overview {
  readonly #parts: Parts;
  readonly #fleet = new Fleet();
  readonly #pace = new Pace();
  readonly #hour = new LastHour();
  readonly #audience = new Audience();
  readonly #startedAt = Date.now();
  readonly #started = performance.now();
  readonly #brokers = this.#question(() => this.#meet());
  readonly #delayed = this.#question(() => this.#parts.store.delayed(SHOWN));
  /** One more than is shown: then there is a page after them. */
  readonly #deadLetters = this.#question(() => this.#parts.store.deadLetters(SHOWN + 1));
  #timer: NodeJS.Timeout | undefined;
  #ticking = false;
  #worker: WorkerStatus = { connected: false, circuit: 'closed', since: Date.now() };

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Looks now, and once a second from now on. */
  start(): void {
    this.#timer = setInterval(() => void this.#tick(), EVERY_MS);
    void this.#tick();
  }

  /** Announces for the last time, so that the others do not miss this broker, and closes all dashboards. */
  async stop(): Promise<void> {
    this.#audience.close();
    if (!this.#timer) return;
    clearInterval(this.#timer);
    await this.#question(() => within(PATIENCE_MS, this.#announce())).ask();
  }

  /** Writes the last hour, and then a frame a second, until the response is closed. */
  open(response: ServerResponse): void {
    const hour: Hour = { columns: this.#hour.columns, show_content: this.#parts.showContent };
    this.#audience.join(response, `retry: 1000\n\nevent: hour\ndata: ${JSON.stringify(hour)}\n\n`);
  }

  /** Each question by itself: what is not answered holds up neither the frame nor what else is asked. */
  async #tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      await this.#look();
    } catch (error) {
      this.#parts.log.error({ err: error }, 'the overview has a fault');
    } finally {
      this.#ticking = false;
    }
  }

  async #look(): Promise<void> {
    this.#worker = await this.#parts.workerHealth.status();
    const lists = [this.#delayed, this.#deadLetters];
    if (!this.#audience.size) for (const list of lists) list.forget();
    const asked = [this.#brokers, ...(this.#audience.size ? lists : [])];
    await within(PATIENCE_MS, Promise.all(asked.map((question) => question.ask())));
    const sample = this.#sample();
    this.#hour.add(sample);
    this.#publish(sample);
  }

  /** Announces this broker, and takes in what the others announced. Alone when that cannot be done. */
  async #meet(): Promise<void> {
    const { store } = this.#parts;
    try {
      await this.#announce();
      const announced = await store.brokers();
      this.#fleet.look(announced.flatMap((one) => readStatus(one) ?? []));
    } catch (error) {
      this.#fleet.look([this.#status()]);
      throw error;
    }
  }

  #announce(): Promise<void> {
    return this.#parts.store.announce(JSON.stringify(this.#status()), SILENT_MS);
  }

  #question<Answer>(pose: () => Promise<Answer>): Question<Answer> {
    return new Question(pose, (error) => this.#parts.log.debug({ err: error }, 'the overview is not up to date'));
  }

  #publish(sample: Sample): void {
    if (this.#audience.size) this.#audience.send(`event: frame\ndata: ${JSON.stringify(this.#frame(sample))}\n\n`);
  }

  #status(): BrokerStatus {
    const { users, deliveries, slots, leases, hub, traffic, brokerId, version, accepting } = this.#parts;
    return {
      id: brokerId,
      version,
      started_at: this.#startedAt,
      uptime_ms: performance.now() - this.#started,
      draining: !accepting(),
      users: users.states,
      deliveries: deliveries.states,
      worker: this.#worker,
      calls: slots.held,
      call_limit: slots.concurrency,
      listeners: hub.streams,
      turns: leases.longest(TURNS).map(({ claim, heldMs }) => ({
        user_id: claim.queue,
        message_id: claim.messageId,
        attempt: claim.attempt,
        held_ms: heldMs,
      })),
      ...traffic.totals,
    };
  }

  #sample(): Sample {
    const { last } = this.#parts.sweeper;
    const counts = last?.counts;
    const fleet = this.#fleet;
    this.#pace.look(last);
    return {
      at: Math.round(Date.now() / 1000),
      in_per_second: rounded(this.#pace.in),
      out_per_second: rounded(this.#pace.out),
      waiting: counts?.waiting ?? null,
      oldest_wait_seconds: counts ? rounded(counts.oldestWaitMs / 1000) : null,
      queue_p50_seconds: rounded(fleet.quantile('queued', 0.5)),
      queue_p95_seconds: rounded(fleet.quantile('queued', 0.95)),
      worker_p50_seconds: rounded(fleet.quantile('worked', 0.5)),
      worker_p95_seconds: rounded(fleet.quantile('worked', 0.95)),
    };
  }

  #frame(sample: Sample): Frame {
    const { sweeper, store } = this.#parts;
    const counts = sweeper.last?.counts;
    return {
      at: iso(Date.now()),
      status: healthOf(sweeper.state, this.#worker),
      store: { kind: store.kind, state: sweeper.state, since: iso(sweeper.since) },
      worker: workerView(this.#worker),
      counts: counts && {
        active_queues: counts.activeQueues,
        waiting: counts.waiting,
        processing: counts.processing,
        oldest_wait_seconds: counts.oldestWaitMs / 1000,
        callbacks: counts.callbacks,
        dead_letters: counts.deadLetters,
      },
      sample,
      states: {
        user: this.#fleet.states('users'),
        supervisor: this.#fleet.supervisors,
        delivery: this.#fleet.states('deliveries'),
      },
      brokers: [
        ...this.#fleet.brokers.map((status) => this.#brokerView(status, null)),
        ...this.#fleet.missed.map(({ status, since }) => this.#brokerView(status, iso(since))),
      ],
      at_work: this.#fleet.turns(SHOWN).map(({ held_ms, ...turn }) => ({ ...turn, seconds: held_ms / 1000 })),
      delayed: listed(this.#delayed, delayedView),
      dead_letters: this.#deadLettersView(),
    };
  }

  #deadLettersView(): Frame['dead_letters'] {
    const { showContent } = this.#parts;
    const list = listed(this.#deadLetters, (letter) => deadLetterView(letter, showContent));
    const letters = this.#deadLetters.last?.answer ?? [];
    const last = letters.length > SHOWN ? letters[SHOWN - 1] : undefined;
    return list && { ...list, next_cursor: last ? cursorOf(last) : null };
  }

  #brokerView(status: BrokerStatus, missedSince: string | null): BrokerView {
    return {
      id: status.id,
      own: status.id === this.#parts.brokerId,
      version: status.version,
      started_at: iso(status.started_at),
      missed_since: missedSince,
      draining: status.draining,
      users: sum(status.users) - (status.users['idle'] ?? 0),
      deliveries: sum(status.deliveries),
      calls: status.calls,
      call_limit: status.call_limit,
      listeners: status.listeners,
      in_per_second: this.#fleet.rate(status.id, 'accepted'),
      out_per_second: this.#fleet.rate(status.id, 'ended'),
      worker: workerView(status.worker),
    };
  }
}

function workerView({ connected, circuit, since }: WorkerStatus): WorkerView {
  return { connected, circuit, since: iso(since) };
}

/** What was answered last, as it is shown. */
function listed<Item, View>({ last }: Question<readonly Item[]>, view: (item: Item) => View): Listed<View> | undefined {
  return last && { items: last.answer.slice(0, SHOWN).map(view), as_of: iso(last.at), stale: last.stale };
}

function delayedView({ queue, waitMs, length }: DelayedQueue): DelayedView {
  return { user_id: queue, wait_seconds: waitMs / 1000, length };
}

function deadLetterView(letter: DeadLetter, showContent: boolean): DeadLetterView {
  const { kind, queue, messageId, attempts, endedAt, code, error } = letter;
  return {
    kind,
    user_id: queue,
    message_id: messageId,
    attempts,
    failed_at: iso(endedAt),
    code,
    error: reasonOf(code, error, showContent),
  };
}

/** To three digits, but whole. */
function rounded(value: number | null): number | null {
  return value === null || Number.isInteger(value) ? value : Number(value.toPrecision(3));
}

function sum(states: Readonly<Record<string, number>>): number {
  return Object.values(states).reduce((total, count) => total + count, 0);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
