import { z } from 'zod';
import { pageQuery, streamQuery } from '../schema.ts';
import { EVENTS, resuming } from './event.ts';
import { type Answer, either, json, type Operation, type Paths, parameters } from './operation.ts';
import { KEYED, problems } from './problem.ts';
import { deadLetters } from './queue.ts';

const anything = z.record(z.string(), z.unknown());
/** Of an event of the engine. */
const outline = z.object({
  type: z.string(),
  bytes: z.int().min(0),
  beginning: z.string().optional().describe('Only with `DASHBOARD_SHOW_CONTENT`.'),
});

function streamOf(events: Readonly<Record<string, z.ZodType>>): Answer {
  const media = { schema: z.string(), 'x-events': events };
  return { description: 'Server-sent events.', content: { 'text/event-stream': media } };
}

const getEvents: Operation = {
  operationId: 'getDashboardEvents',
  tags: ['Documents'],
  summary: 'Follow how all brokers are',
  description:
    'What the dashboard shows: `hour`, the samples of the last hour, then a `frame` each second. Not for other programs: it changes with the page.',
  responses: either({ '200': streamOf({ hour: anything, frame: anything }) }, problems(KEYED)),
};

const getStream: Operation = {
  operationId: 'getDashboardStream',
  tags: ['Documents'],
  summary: "Follow a message's events without what was said",
  description:
    'As `/api/v1/stream`; of the events of the engine type and size, and of a failure what the broker says of it. With `DASHBOARD_SHOW_CONTENT` the beginnings of what the engine said, too.',
  parameters: [...parameters('query', streamQuery), ...resuming],
  responses: either(
    {
      '200': streamOf({ ...EVENTS, message: outline }),
      '204': { description: 'Nothing will come after `Last-Event-ID`.' },
    },
    problems([...KEYED, 'invalid_last_event_id', 'unknown_message', 'invalid_fields', 'store_unavailable']),
  ),
};

const getLetters: Operation = {
  operationId: 'getDashboardDeadLetters',
  tags: ['Documents'],
  summary: 'List what failed without what was said',
  description:
    'As `/api/v1/dead-letters`; `error` is cut, and without the words of the engine unless `DASHBOARD_SHOW_CONTENT` is set.',
  parameters: parameters('query', pageQuery),
  responses: either(
    { '200': json('A page, newest first.', deadLetters) },
    problems([...KEYED, 'invalid_fields', 'store_unavailable']),
  ),
};

export const DASHBOARD_PATHS: Paths = {
  '/api/v1/dashboard/events': { get: getEvents },
  '/api/v1/dashboard/stream': { get: getStream },
  '/api/v1/dashboard/dead-letters': { get: getLetters },
};
