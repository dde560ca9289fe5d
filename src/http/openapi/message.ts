import { z } from 'zod';
import { messagePath, newMessage, retryQuery, streamQuery } from '../schema.ts';
import { messageEnded } from './callback.ts';
import { eventStream, failureCode, messageId, position, result, resuming } from './event.ts';
import { either, json, type Operation, type Paths, parameters, TRACE } from './operation.ts';
import { INTAKE, KEYED, problems } from './problem.ts';

const status = z.enum(['queued', 'processing', 'completed', 'failed', 'cancelled', 'expired']);
const time = z.iso.datetime();
const streamUrl = z
  .string()
  .describe(
    'Where its events are read, with a `token` when keys are asked for: it opens these events and nothing else.',
  );

const accepted = z
  .object({
    status: z.literal('queued'),
    message_id: messageId,
    queue_position: position.describe('The waiting messages of the queue up to and including this one.'),
    stream_url: streamUrl,
  })
  .meta({ id: 'Accepted', description: 'The message is in the store, and will not be lost.' });

const duplicate = accepted
  .extend({ status, duplicate: z.literal(true) })
  .meta({ id: 'Duplicate', description: 'It had been accepted before. All else is that of the first one.' });

const messageState = z
  .object({
    message_id: messageId,
    user_id: z.string().describe('The name of the queue.'),
    status,
    queue_position: position,
    attempts: z.int().min(0).describe('Calls of the engine made so far.'),
    queued_at: time,
    started_at: time.nullable(),
    ended_at: time.nullable(),
    code: failureCode.nullable(),
    error: z.string().nullable(),
    callback: z
      .object({
        status: z
          .enum(['pending', 'delivered', 'undelivered', 'silent'])
          .describe('`undelivered`: it was given up. `silent`: there was nothing to tell.'),
        attempts: z.int().min(0),
        error: z.string().describe('What came of the last attempt, if it was in vain.'),
      })
      .nullable()
      .describe('`null` without a callback, or before its turn.'),
    result: result.nullable(),
  })
  .meta({ id: 'MessageState', description: 'How a message stands. What is not known yet is `null`.' });

const cancelled = z.object({ message_id: messageId, status: z.literal('cancelled') }).meta({ id: 'Cancelled' });
const cancelling = z.object({ message_id: messageId, status: z.literal('cancelling') }).meta({ id: 'Cancelling' });
const redelivering = z
  .object({ status: z.literal('redelivering'), message_id: messageId })
  .meta({ id: 'Redelivering', description: 'Its callback is sent again.' });

const headers = z.object({
  'Idempotency-Key': z
    .string()
    .max(256)
    .optional()
    .describe('The same one of a `user_id`, within 24 hours, is accepted once.'),
  ...TRACE,
});
const EXAMPLE = { user_id: 'ruth', org_id: 'unfoldingWord', client_id: 'web', message: 'What is John 3:16?' };

const postMessage: Operation = {
  operationId: 'postMessage',
  tags: ['Messages'],
  summary: 'Accept a message',
  description:
    'Answers once the message is in the store. With `Accept: text/event-stream` the answer is its event stream.',
  parameters: parameters('header', headers),
  requestBody: { required: true, content: { 'application/json': { schema: newMessage, example: EXAMPLE } } },
  responses: either(
    { '202': json('It is in the store.', accepted) },
    { '200': { ...eventStream, description: `With \`Accept: text/event-stream\`. ${eventStream.description}` } },
    { '200': json('Otherwise, as JSON: it had been accepted before.', duplicate) },
    problems([
      ...KEYED,
      'malformed_json',
      'malformed_encoding',
      'body_incomplete',
      'invalid_idempotency_key',
      'body_too_large',
      'bodies_full',
      'wrong_content_type',
      'invalid_fields',
      'busy',
      ...INTAKE,
    ]),
  ),
  callbacks: { messageEnded },
};

const getStream: Operation = {
  operationId: 'getStream',
  tags: ['Messages'],
  summary: "Read a message's events",
  description: 'Before, during and after the work, by any number of listeners, on any broker.',
  security: [{ apiKey: [] }, { bearer: [] }, { streamToken: [] }],
  parameters: [...parameters('query', streamQuery), ...resuming],
  responses: either(
    { '200': eventStream, '204': { description: 'Nothing will come after `Last-Event-ID`: do not reconnect.' } },
    problems([
      ...KEYED,
      'invalid_token',
      'invalid_last_event_id',
      'unknown_message',
      'invalid_fields',
      'store_unavailable',
    ]),
  ),
};

const getMessage: Operation = {
  operationId: 'getMessage',
  tags: ['Messages'],
  summary: 'Ask how a message stands',
  parameters: parameters('path', messagePath),
  responses: either(
    { '200': json('How it stands, with its result once there is one.', messageState) },
    problems([...KEYED, 'unknown_message', 'invalid_fields', 'store_unavailable']),
  ),
};

const deleteMessage: Operation = {
  operationId: 'cancelMessage',
  tags: ['Messages'],
  summary: 'Cancel a message',
  description:
    'One that waits never reaches the engine. The call of one that runs is broken off; the engine may carry on by itself, but nothing of it is kept.',
  parameters: parameters('path', messagePath),
  responses: either(
    {
      '200': json('It is cancelled.', cancelled),
      '202': json('It is being cancelled, and its end takes longer than 5 s.', cancelling),
    },
    problems([...KEYED, 'unknown_message', 'already_ended', 'invalid_fields', 'store_unavailable']),
  ),
};

const retryMessage: Operation = {
  operationId: 'retryMessage',
  tags: ['Messages'],
  summary: 'Try a failed message again',
  description:
    'Puts it at the end of its queue, as if it had just been accepted: with the same id, all its attempts, and a log whose event ids count on. Of a message that did not fail, a callback that was given up is sent again.',
  parameters: [...parameters('path', messagePath), ...parameters('query', retryQuery)],
  responses: either(
    { '202': json('It waits again, or its callback is sent again.', z.union([accepted, redelivering])) },
    problems([...KEYED, 'unknown_message', 'not_failed', 'not_undelivered', 'invalid_fields', ...INTAKE]),
  ),
};

export const MESSAGE_PATHS: Paths = {
  '/api/v1/message': { post: postMessage },
  '/api/v1/stream': { get: getStream },
  '/api/v1/queue/{user_id}/messages/{message_id}': { get: getMessage, delete: deleteMessage },
  '/api/v1/queue/{user_id}/messages/{message_id}/retry': { post: retryMessage },
};
