/** What the server tells a dashboard. Types alone, so that the page in the browser goes by the same. */

/** How things stand, told once a second. Times are ISO 8601, durations in seconds. */
export type Frame = {
  readonly at: string;
  readonly status: 'healthy' | 'degraded' | 'unhealthy';
  readonly store: { readonly kind: 'redis' | 'embedded'; readonly state: StoreState; readonly since: string };
  readonly worker: WorkerView;
  /** Undefined while the store does not answer. */
  readonly counts: CountsView | undefined;
  readonly sample: Sample;
  /** How many actors of all brokers are in which state. */
  readonly states: { readonly user: States; readonly supervisor: States; readonly delivery: States };
  readonly brokers: readonly BrokerView[];
  /** What has been worked on longest, at all brokers. */
  readonly at_work: readonly TurnView[];
  /** Users whose first message waits longest. */
  readonly delayed: Listed<DelayedView> | undefined;
  /** The newest of them. */
  readonly dead_letters: DeadLettersView | undefined;
};

/** A list that the store keeps; undefined as long as it is not known. */
export type Listed<Item> = {
  readonly items: readonly Item[];
  readonly as_of: string;
  /** The store does not tell it now. */
  readonly stale: boolean;
};

/** `next_cursor`: of the page after these; null when they are all. */
type DeadLettersView = Listed<DeadLetterView> & { readonly next_cursor: string | null };

type StoreState = 'whole' | 'in part' | 'away';
export type States = Readonly<Record<string, number>>;

export type WorkerView = {
  readonly connected: boolean;
  readonly circuit: 'closed' | 'open' | 'half_open';
  readonly since: string;
};

type CountsView = {
  readonly active_queues: number;
  readonly waiting: number;
  readonly processing: number;
  readonly oldest_wait_seconds: number;
  readonly callbacks: number;
  readonly dead_letters: number;
};

export type BrokerView = {
  readonly id: string;
  /** The one that this dashboard is served by. */
  readonly own: boolean;
  readonly version: string;
  readonly started_at: string;
  /** Since when nothing is heard of it; null as long as something is. What else is told of it was before. */
  readonly missed_since: string | null;
  readonly draining: boolean;
  /** Those who have work. */
  readonly users: number;
  readonly deliveries: number;
  readonly calls: number;
  readonly call_limit: number;
  readonly listeners: number;
  readonly in_per_second: number | null;
  readonly out_per_second: number | null;
  readonly worker: WorkerView;
};

export type TurnView = {
  readonly user_id: string;
  readonly message_id: string;
  readonly attempt: number;
  /** Since it was claimed. */
  readonly seconds: number;
};

export type DelayedView = { readonly user_id: string; readonly wait_seconds: number; readonly length: number };

export type DeadLetterView = {
  readonly kind: 'message' | 'callback';
  readonly user_id: string;
  readonly message_id: string;
  readonly attempts: number;
  readonly failed_at: string;
  readonly code: string;
  readonly error: string;
};

/** One second of the last hour, to three digits; what is not known is null. The times are quantiles over the last minute. */
export type Sample = {
  /** In whole seconds since 1970. */
  readonly at: number;
  readonly in_per_second: number | null;
  readonly out_per_second: number | null;
  readonly waiting: number | null;
  readonly oldest_wait_seconds: number | null;
  readonly queue_p50_seconds: number | null;
  readonly queue_p95_seconds: number | null;
  readonly worker_p50_seconds: number | null;
  readonly worker_p95_seconds: number | null;
};

/** What one field of the samples was, the oldest first. */
export type Column = { readonly field: keyof Sample; readonly values: readonly (number | null)[] };

/** Told first: the last hour, as it is plotted. */
export type Hour = {
  readonly columns: readonly Column[];
  /** Whether the texts of messages may be shown (DASHBOARD_SHOW_CONTENT). */
  readonly show_content: boolean;
};

/** A machine as it is drawn, laid out from its definition. Lengths are in pixels. */
export type Chart = {
  readonly name: string;
  /** What is to be seen of the plane. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Those that are in others come after them. */
  readonly states: readonly ChartState[];
  readonly edges: readonly ChartEdge[];
};

export type ChartState = {
  /** With the states it is in before it: `closed.probing`. */
  readonly path: string;
  readonly name: string;
  /** It has others in it. */
  readonly compound: boolean;
  /** Left and upper edge. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
};

export type ChartEdge = {
  readonly from: string;
  readonly to: string;
  readonly labels: readonly string[];
  readonly points: readonly { readonly x: number; readonly y: number }[];
};
