import { z } from 'zod';
import { streamQuery } from '../schema.ts';
import { type Answer, either, type Operation, type Paths, parameters } from './operation.ts';
import { KEYED, problems } from './problem.ts';

const eventStream: Answer = {
  description: 'Server-sent events.',
  content: { 'text/event-stream': { schema: z.string() } },
};

const getEvents: Operation = {
  operationId: 'getDashboardEvents',
  tags: ['Documents'],
  summary: 'Follow how all brokers are',
  description:
    'What the dashboard shows: `hour`, the samples of the last hour, then a `frame` each second. Not for other programs: it changes with the page.',
  responses: either({ '200': eventStream }, problems(KEYED)),
};

const getStream: Operation = {
  operationId: 'getDashboardStream',
  tags: ['Documents'],
  summary: "Follow a message's events without what was said",
  description:
    'As `/api/v1/stream`; of the events of the engine only type and size, unless `DASHBOARD_SHOW_CONTENT` is set.',
  parameters: parameters('query', streamQuery),
  responses: either(
    { '200': eventStream, '204': { description: 'Nothing will come after `Last-Event-ID`.' } },
    problems([...KEYED, 'invalid_last_event_id', 'unknown_message', 'invalid_fields', 'store_unavailable']),
  ),
};

export const DASHBOARD_PATHS: Paths = {
  '/api/v1/dashboard/events': { get: getEvents },
  '/api/v1/dashboard/stream': { get: getStream },
};
