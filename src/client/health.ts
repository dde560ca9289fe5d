import { boolean, type Guard, nullable, number, type Other, object, text } from './guard.ts';

/** How a broker is. Counts are `null` while its store is away. */
export type Health = {
  /** `degraded`: the engine, or a part of the store, does not answer. `unhealthy`: the store does not. */
  readonly status: 'healthy' | 'degraded' | 'unhealthy' | Other;
  readonly redis_connected: boolean;
  readonly worker_connected: boolean;
  /** `open`: no call of the engine is made, until it answers again. */
  readonly worker_circuit: string;
  readonly degraded_since: string | null;
  readonly active_queues: number | null;
  readonly messages_waiting: number | null;
  readonly messages_processing: number | null;
  readonly oldest_wait_seconds: number | null;
  readonly callbacks_waiting: number | null;
  readonly dead_letters: number | null;
  readonly store: string;
  readonly version: string;
  readonly uptime_seconds: number;
};

export const health: Guard<Health> = object({
  status: text,
  redis_connected: boolean,
  worker_connected: boolean,
  worker_circuit: text,
  degraded_since: nullable(text),
  active_queues: nullable(number),
  messages_waiting: nullable(number),
  messages_processing: nullable(number),
  oldest_wait_seconds: nullable(number),
  callbacks_waiting: nullable(number),
  dead_letters: nullable(number),
  store: text,
  version: text,
  uptime_seconds: number,
});
