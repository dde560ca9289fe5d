import { z } from 'zod';
import { discardQuery, messagePath, pageQuery, queuePath } from '../schema.ts';
import { failureCode, messageId, position } from './event.ts';
import { either, json, type Operation, type Paths, parameters } from './operation.ts';
import { KEYED, problems } from './problem.ts';

const time = z.iso.datetime();
const name = z.string().describe('The name of the queue.');

const queueState = z
  .object({
    user_id: name,
    queue_length: z.int().min(0).describe('The messages that wait.'),
    is_processing: z.boolean(),
    current_message_id: messageId.nullable(),
    state: z
      .enum(['idle', 'dispatching', 'streaming'])
      .describe('`dispatching`: the engine is being called, or called again. `streaming`: it answers.'),
    oldest_wait_seconds: z.number().min(0),
    messages: z
      .array(
        z.object({
          message_id: messageId,
          status: z.enum(['processing', 'queued']),
          queue_position: position,
          queued_at: time,
          age_seconds: z.number().min(0).describe("Since `queued_at`, by the store's clock."),
          attempts: z.int().min(0).describe('0 while it waits.'),
        }),
      )
      .describe('In order, the one that is worked on first.'),
  })
  .meta({ id: 'Queue', description: 'A queue. That of a user never seen is empty.' });

const cleared = z.object({ user_id: name, cancelled: z.int().min(0) }).meta({ id: 'Cleared' });

export const deadLetters = z
  .object({
    dead_letters: z.array(
      z
        .object({
          kind: z.enum(['message', 'callback']),
          message_id: messageId,
          user_id: name,
          attempts: z.int().min(0),
          queued_at: time,
          failed_at: time,
          code: failureCode,
          error: z.string(),
        })
        .meta({ id: 'DeadLetter', description: 'A message that failed, or a callback that was given up.' }),
    ),
    next_cursor: z.string().nullable().describe('The `cursor` of the next page; `null` after the last one.'),
  })
  .meta({ id: 'DeadLetters', description: 'A page, newest first.' });

const discarded = z.object({ message_id: messageId, discarded: z.literal(true) }).meta({ id: 'Discarded' });

const faults = problems([...KEYED, 'invalid_fields', 'store_unavailable']);

const getQueue: Operation = {
  operationId: 'getQueue',
  tags: ['Queues'],
  summary: 'Look at a queue',
  parameters: parameters('path', queuePath),
  responses: either({ '200': json('What waits and what is worked on.', queueState) }, faults),
};

const deleteQueue: Operation = {
  operationId: 'clearQueue',
  tags: ['Queues'],
  summary: 'Cancel all that wait',
  description: 'The message that runs goes on.',
  parameters: parameters('path', queuePath),
  responses: either({ '200': json('How many were cancelled.', cleared) }, faults),
};

const getDeadLetters: Operation = {
  operationId: 'getDeadLetters',
  tags: ['Queues'],
  summary: 'List what failed',
  parameters: parameters('query', pageQuery),
  responses: either({ '200': json('A page, newest first.', deadLetters) }, faults),
};

const deleteDeadLetter: Operation = {
  operationId: 'discardDeadLetter',
  tags: ['Queues'],
  summary: 'Discard a dead letter',
  description: 'It is listed no more. The message can be looked at until it is forgotten.',
  parameters: [
    ...parameters('path', messagePath.pick({ message_id: true })),
    ...parameters('query', messagePath.pick({ user_id: true }).extend(discardQuery.shape)),
  ],
  responses: either(
    { '200': json('It is discarded.', discarded) },
    problems([...KEYED, 'unknown_message', 'not_dead', 'invalid_fields', 'store_unavailable']),
  ),
};

export const QUEUE_PATHS: Paths = {
  '/api/v1/queue/{user_id}': { get: getQueue, delete: deleteQueue },
  '/api/v1/dead-letters': { get: getDeadLetters },
  '/api/v1/dead-letters/{message_id}': { delete: deleteDeadLetter },
};
