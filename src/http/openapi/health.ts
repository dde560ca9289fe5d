import { z } from 'zod';
import { ANYONE, either, json, type Operation, type Paths } from './operation.ts';
import { ANYWHERE, KEYED, problems } from './problem.ts';

const count = z.int().min(0).nullable().describe('`null` while the store is away.');

const health = z
  .object({
    status: z.enum(['healthy', 'degraded', 'unhealthy']),
    redis_connected: z.boolean().describe('The store answers; true for a working embedded store, too.'),
    worker_connected: z.boolean(),
    active_queues: count,
    messages_processing: count,
    messages_waiting: count,
    oldest_wait_seconds: z.number().min(0).nullable(),
    callbacks_waiting: count,
    dead_letters: count,
    worker_circuit: z
      .enum(['closed', 'open', 'half_open'])
      .describe('`closed`: calls are made. `open`: none is, until the engine answers. `half_open`: a few are.'),
    degraded_since: z.iso.datetime().nullable(),
    store: z.enum(['redis', 'embedded']),
    version: z.string(),
    uptime_seconds: z.int().min(0),
  })
  .meta({ id: 'Health' });

const anywhere = problems(ANYWHERE);

const getHealth: Operation = {
  operationId: 'getHealth',
  tags: ['Health'],
  summary: 'Ask how store and engine are',
  security: ANYONE,
  responses: either(
    {
      '200': json('`healthy`, or `degraded`: the engine does not answer, or a part of the store.', health),
      '503': json('`unhealthy`: the store does not answer.', health),
    },
    anywhere,
  ),
};

const getLive: Operation = {
  operationId: 'getLive',
  tags: ['Health'],
  summary: 'Ask whether the process runs',
  security: ANYONE,
  responses: either({ '200': json('It does.', z.object({ status: z.literal('live') })) }, anywhere),
};

const getReady: Operation = {
  operationId: 'getReady',
  tags: ['Health'],
  summary: 'Ask whether the broker may get traffic',
  security: ANYONE,
  responses: either(
    {
      '200': json('It may.', z.object({ status: z.literal('ready') })),
      '503': json('It may not.', z.object({ status: z.enum(['draining', 'store_unavailable']) })),
    },
    anywhere,
  ),
};

const getMetrics: Operation = {
  operationId: 'getMetrics',
  tags: ['Health'],
  summary: 'Read the metrics',
  responses: either(
    {
      '200': {
        description: 'In the text format of Prometheus.',
        content: { 'text/plain': { schema: z.string() } },
      },
    },
    problems(KEYED),
  ),
};

export const HEALTH_PATHS: Paths = {
  '/health': { get: getHealth },
  '/health/live': { get: getLive },
  '/health/ready': { get: getReady },
  '/metrics': { get: getMetrics },
};
