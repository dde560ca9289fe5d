import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { DeliveryEnd } from './store/outbox.ts';
import { END_STATUSES, type Sweep, type Totals } from './store/store.ts';
import { Traffic } from './traffic.ts';
import type { Opened } from './worker/worker.ts';

/** Seconds, from a message that finds nobody before it to one that waits for an hour. */
const WAITS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];
/** Seconds: the engine needs a few for an answer, and is given 300 at the most. */
const CALLS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300];

/**
 * The lag of the event loop is measured by a timer, whose own time is in the figure. At the usual 10 ms, to wake up for it
 * takes 0.6 % of a core, as much as all else that an idle broker does.
 */
const LAG_EVERY_MS = 100;

/** How things stand at this moment. */
export type Present = {
  /** The last look at the whole store; undefined while it does not answer. */
  readonly store: Sweep | undefined;
  readonly workerUp: boolean;
  /** Slots that are held at this broker for worker calls, and how many there are. */
  readonly calls: number;
  readonly callLimit: number;
  /** Event streams open at this broker, and callbacks that follow a message. */
  readonly listeners: number;
  /** Users who have work at this broker. */
  readonly users: number;
};

type Reading = readonly [name: string, help: string, of: (present: Present) => number | undefined];

/** What a call to the worker comes to: `refused` is to be tried again, `ended` is final before any event. */
const OUTCOMES = ['opened', 'refused', 'ended'] as const satisfies readonly Opened['type'][];
/** What becomes of a callback. `silent`: there was nothing to tell. */
const DELIVERIES = ['delivered', 'undelivered', 'silent'] as const satisfies readonly DeliveryEnd['status'][];
/** Refusals for which there is an alert; the others are told once there was one. */
const CODES = ['queue_full', 'store_full', 'bodies_full', 'store_unavailable'];

/** `broker_store_…` is said of the whole store, and is the same from every broker: take the max, not the sum. */
const GAUGES: readonly Reading[] = [
  ['broker_store_up', '1 while the store answers.', ({ store }) => Number(store !== undefined)],
  [
    'broker_store_complete',
    '1 while all of the store answers and may be changed, 0 while only a part of it does.',
    ({ store }) => store && Number(store.complete),
  ],
  ['broker_store_messages_waiting', 'Messages that wait.', ({ store }) => whole(store)?.counts.waiting],
  ['broker_store_messages_processing', 'Messages being worked on.', ({ store }) => whole(store)?.counts.processing],
  ['broker_store_queues_active', 'Queues with a message.', ({ store }) => whole(store)?.counts.activeQueues],
  ['broker_store_oldest_wait_seconds', 'Age of the oldest waiting message.', ({ store }) => oldestWait(whole(store))],
  ['broker_store_callbacks_waiting', 'Callbacks in the outbox.', ({ store }) => whole(store)?.counts.callbacks],
  [
    'broker_store_dead_letters',
    'Failed messages and callbacks given up that nobody has dealt with.',
    ({ store }) => whole(store)?.counts.deadLetters,
  ],
  ['broker_worker_up', '1 while the worker is healthy and calls are made to it.', ({ workerUp }) => Number(workerUp)],
  ['broker_worker_calls_open', 'Worker calls of this broker that are open or about to be made.', ({ calls }) => calls],
  ['broker_worker_calls_limit', 'How many of them there are (WORKER_CONCURRENCY).', ({ callLimit }) => callLimit],
  [
    'broker_listeners',
    'Event streams open at this broker, and callbacks that follow a message.',
    ({ listeners }) => listeners,
  ],
  [
    'broker_users',
    'Users who have work at this broker: they wait for a slot, or are being worked on.',
    ({ users }) => users,
  ],
];

/** What Prometheus is told, by its conventions (https://prometheus.io/docs/practices/naming/). No label grows with users. */
export class Metrics {
  readonly #registry = new Registry();

  /** The totals of the store, as they were told last. */
  readonly #told = new Map<keyof Totals, number>();
  /** The same for the dashboard, of which the brokers add up what each has counted. */
  readonly traffic = new Traffic();
  readonly #queueWait = this.#histogram('broker_queue_wait_seconds', WAITS, 'From acceptance to the first claim.');
  readonly firstEvent = this.#histogram(
    'broker_worker_first_event_seconds',
    CALLS,
    'From a worker call to its first event.',
  );
  readonly #workerCall = this.#histogram(
    'broker_worker_call_seconds',
    CALLS,
    'From a worker call to the end of its response, of those that got an event.',
  );
  readonly callbackDelivery = this.#histogram(
    'broker_callback_delivery_seconds',
    WAITS,
    "From the first attempt at a message's last callback to its delivery.",
  );
  readonly workerCalls = this.#counter(
    'broker_worker_calls_total',
    'outcome',
    OUTCOMES,
    'Attempts, by what the worker said first: opened (an event), refused (nothing, or to try again), ended (a final error).',
  );
  readonly callbacks = this.#counter(
    'broker_callbacks_total',
    'status',
    DELIVERIES,
    'Callbacks, by what became of them: delivered, undelivered (given up), silent (there was nothing to tell).',
  );
  readonly refusals = this.#counter(
    'broker_refusals_total',
    'code',
    CODES,
    'Requests refused, by the code of the answer.',
  );

  /** A message was claimed for the first time, after so many ms in its queue. */
  claimed(waitedMs: number): void {
    this.#queueWait.observe(waitedMs / 1000);
    this.traffic.claimed(waitedMs);
  }

  /** A message that was worked on has ended; its worker call took so many ms, undefined when none was opened. */
  ended(workedMs: number | undefined): void {
    if (workedMs !== undefined) this.#workerCall.observe(workedMs / 1000);
    this.traffic.ended(workedMs);
  }

  /** `present`: asked each time somebody reads. */
  serve(present: () => Present): void {
    const registers = [this.#registry];
    for (const [name, help, of] of GAUGES) {
      const gauge: Gauge = new Gauge({
        name,
        help,
        registers,
        collect: () => {
          const value = of(present());
          // 0 would say that nothing waits.
          if (value === undefined) gauge.remove();
          else gauge.set(value);
        },
      });
    }
    const accepted: Counter = new Counter({
      name: 'broker_store_messages_accepted_total',
      help: 'Messages accepted since the store was made; one that is retried, each time.',
      registers,
      collect: () => count(accepted, {}, this.#total('accepted', present())),
    });
    const ended: Counter = new Counter({
      name: 'broker_store_messages_ended_total',
      help: 'Messages that have ended since the store was made, by how; one that was retried, each time.',
      labelNames: ['status'],
      registers,
      collect: () => {
        for (const status of END_STATUSES) count(ended, { status }, this.#total(status, present()));
      },
    });
  }

  /** Tells of this process, too: CPU time, memory, the lag of the event loop. Once in a process: its watchers have no end. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_EVERY_MS });
    // Gauges that promtool takes for counters by their names; those by type tell more.
    for (const what of ['resources', 'handles', 'requests'])
      this.#registry.removeSingleMetric(`nodejs_active_${what}_total`);
  }

  /** Everything, as Prometheus reads it, and its content type. */
  async read(): Promise<{ readonly type: string; readonly text: string }> {
    return { type: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  /**
   * A total of the store that does not go down: what a failover of Redis has lost, Prometheus would take for a restart, and
   * all there is for new. Less than half is another store's.
   */
  #total(name: keyof Totals, { store }: Present): number | undefined {
    const now = whole(store)?.totals[name];
    if (now === undefined) return undefined;
    const last = this.#told.get(name) ?? 0;
    const told = now < last / 2 ? now : Math.max(now, last);
    this.#told.set(name, told);
    return told;
  }

  #histogram(name: string, buckets: number[], help: string): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.#registry] });
  }

  /** Told from the start with each of these values: what appears as 1 has not increased, to Prometheus. */
  #counter<Label extends string>(name: string, label: Label, values: readonly string[], help: string): Counter<Label> {
    const counter = new Counter({ name, help, labelNames: [label], registers: [this.#registry] });
    for (const value of values) counter.labels(value).inc(0);
    return counter;
  }
}

function oldestWait(store: Sweep | undefined): number | undefined {
  return store && store.counts.oldestWaitMs / 1000;
}

/** Of a part of the store it would be fewer than there are: what waits in the rest would not be seen, and totals go down. */
function whole(store: Sweep | undefined): Sweep | undefined {
  return store?.complete ? store : undefined;
}

/** Brings a counter to a value that is counted elsewhere. Unknown is not 0: that would look like a restart. */
function count<Label extends string>(
  counter: Counter<Label>,
  labels: Partial<Record<Label, string>>,
  value: number | undefined,
): void {
  counter.remove(labels);
  if (value !== undefined) counter.inc(labels, value);
}
