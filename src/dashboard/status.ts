import { z } from 'zod';
import { BUCKETS } from '../durations.ts';

/** In ms since 1970, by the broker's own clock; no more than a date can be. */
const time = z.number().min(0).max(8.64e15);
const states = z.record(z.string(), z.number());
const durations = z.array(z.number()).length(BUCKETS);

/** What a broker announces of itself once a second. Its size does not grow with its users. */
const brokerStatus = z.object({
  id: z.string(),
  version: z.string(),
  started_at: time,
  uptime_ms: z.number(),
  draining: z.boolean(),
  /** How many of its actors are in which state. */
  users: states,
  deliveries: states,
  worker: z.object({
    connected: z.boolean(),
    circuit: z.enum(['closed', 'open', 'half_open']),
    since: time,
  }),
  /** Worker calls open, and how many may be. */
  calls: z.number(),
  call_limit: z.number(),
  listeners: z.number(),
  /** What it has been at longest. */
  turns: z
    .array(z.object({ user_id: z.string(), message_id: z.string(), attempt: z.number(), held_ms: z.number() }))
    .default([]),
  /** Since it started. */
  accepted: z.number(),
  ended: z.number(),
  /** Times in queue and at the worker since it started, as Durations counts them. */
  queued: durations,
  worked: durations,
});

export type BrokerStatus = z.infer<typeof brokerStatus>;

/** The announcement of a broker; undefined for one of another version that says it otherwise. */
export function readStatus(announced: string): BrokerStatus | undefined {
  return brokerStatus.safeParse(JSON.parse(announced)).data;
}
