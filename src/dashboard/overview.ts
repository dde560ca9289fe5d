import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Deliveries } from '../actors/deliveries.ts';
import type { Slots } from '../actors/slots.ts';
import type { Sweeper } from '../actors/sweeper.ts';
import type { Users } from '../actors/users.ts';
import { isIll, type WorkerHealth, type WorkerStatus } from '../actors/worker-health.ts';
import type { DeadLetter, DelayedQueue, Store } from '../store/store.ts';
import type { Hub } from '../stream/hub.ts';
import type { Traffic } from '../traffic.ts';
import { Audience } from './audience.ts';
import { Fleet } from './fleet.ts';
import type { BrokerView, Frame, Hour, Sample, WorkerView } from './frame.ts';
import { LastHour } from './hour.ts';
import { type BrokerStatus, readStatus } from './status.ts';

const EVERY_MS = 1000;
/** A broker that has announced nothing for so long is taken to be gone. */
const SILENT_MS = 5000;
/** So many users, and so many dead letters, are shown. */
const SHOWN = 20;

type Parts = {
  readonly store: Store;
  readonly sweeper: Sweeper;
  readonly users: Users;
  readonly deliveries: Deliveries;
  readonly slots: Slots;
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
  readonly #hour = new LastHour();
  readonly #audience = new Audience();
  readonly #startedAt = Date.now();
  readonly #started = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #worker: WorkerStatus = { connected: false, circuit: 'closed', since: Date.now() };
  #delayed: readonly DelayedQueue[] = [];
  #deadLetters: readonly DeadLetter[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Looks now, and once a second from now on. */
  start(): void {
    this.#timer = setInterval(() => void this.#tick(), EVERY_MS);
    void this.#tick();
  }

  /** Announces nothing more, and closes all dashboards. */
  stop(): void {
    clearInterval(this.#timer);
    this.#audience.close();
  }

  /** Writes the last hour, and then a frame a second, until the response is closed. */
  open(response: ServerResponse): void {
    const hour: Hour = { ...this.#hour.samples, show_content: this.#parts.showContent };
    this.#audience.join(response, `retry: 1000\n\nevent: hour\ndata: ${JSON.stringify(hour)}\n\n`);
  }

  /** A store that does not answer holds no frame up: it is told of with what was known before. */
  async #tick(): Promise<void> {
    if (!this.#asking) await this.#ask();
    const sample = this.#sample();
    this.#hour.add(sample);
    this.#publish(sample);
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const { store, workerHealth, log } = this.#parts;
    try {
      this.#worker = await workerHealth.status();
      await store.announce(JSON.stringify(this.#status()), SILENT_MS);
      const announced = await store.brokers();
      this.#fleet.look(announced.flatMap((one) => readStatus(one) ?? []));
      if (this.#audience.size) {
        [this.#delayed, this.#deadLetters] = await Promise.all([store.delayed(SHOWN), store.deadLetters(SHOWN)]);
      }
    } catch (error) {
      log.debug({ err: error }, 'the overview is not up to date');
      this.#fleet.look([this.#status()]);
    } finally {
      this.#asking = false;
    }
  }

  #publish(sample: Sample): void {
    if (this.#audience.size) this.#audience.send(`event: frame\ndata: ${JSON.stringify(this.#frame(sample))}\n\n`);
  }

  #status(): BrokerStatus {
    const { users, deliveries, slots, hub, traffic, brokerId, version, accepting } = this.#parts;
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
      listeners: hub.listeners,
      ...traffic.totals,
    };
  }

  #sample(): Sample {
    const counts = this.#parts.sweeper.last?.counts;
    const fleet = this.#fleet;
    return {
      at: Date.now() / 1000,
      in_per_second: fleet.rateOfAll('accepted'),
      out_per_second: fleet.rateOfAll('ended'),
      waiting: counts?.waiting ?? null,
      oldest_wait_seconds: counts ? counts.oldestWaitMs / 1000 : null,
      queue_p50_seconds: fleet.quantile('queued', 0.5),
      queue_p95_seconds: fleet.quantile('queued', 0.95),
      worker_p50_seconds: fleet.quantile('worked', 0.5),
      worker_p95_seconds: fleet.quantile('worked', 0.95),
    };
  }

  #frame(sample: Sample): Frame {
    const { sweeper, store } = this.#parts;
    const counts = sweeper.last?.counts;
    const well = sweeper.state === 'whole' && !isIll(this.#worker);
    return {
      at: iso(Date.now()),
      status: sweeper.state === 'away' ? 'unhealthy' : well ? 'healthy' : 'degraded',
      store: { kind: store.kind, state: sweeper.state, since: iso(sweeper.since) },
      worker: workerView(this.#worker),
      counts: counts && {
        active_queues: counts.activeQueues,
        waiting: counts.waiting,
        processing: counts.processing,
        oldest_wait_seconds: counts.oldestWaitMs / 1000,
        callbacks: counts.callbacks,
      },
      sample,
      states: { user: this.#fleet.states('users'), delivery: this.#fleet.states('deliveries') },
      brokers: this.#fleet.brokers.map((status) => this.#brokerView(status)),
      delayed: this.#delayed.map(({ queue, waitMs, length }) => ({
        user_id: queue,
        wait_seconds: waitMs / 1000,
        length,
      })),
      dead_letters: this.#deadLetters.map(({ kind, queue, messageId, attempts, endedAt, code, error }) => ({
        kind,
        user_id: queue,
        message_id: messageId,
        attempts,
        failed_at: iso(endedAt),
        code,
        error,
      })),
    };
  }

  #brokerView(status: BrokerStatus): BrokerView {
    return {
      id: status.id,
      own: status.id === this.#parts.brokerId,
      version: status.version,
      started_at: iso(status.started_at),
      draining: status.draining,
      users: sum(status.users),
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

function sum(states: Readonly<Record<string, number>>): number {
  return Object.values(states).reduce((total, count) => total + count, 0);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
