import { z } from 'zod';
import { EVENT_ID } from '../schema.ts';
import { type Answer, EXAMPLE_ID, header, parameters } from './operation.ts';

/** What the engine answers, in its last event. The broker looks at none of it. */
export const result = z
  .looseObject({
    responses: z.array(z.string()).optional().describe('The texts of the reply.'),
    response_language: z.string().nullish(),
    voice_audio_base64: z.string().nullish(),
    voice_audio_url: z.string().nullish(),
    attachments: z.array(z.unknown()).nullish(),
  })
  .meta({ id: 'Result', description: 'What the engine answered: the `response` of its `complete` event, as it is.' });

export const messageId = z.string().describe('A UUID that the broker made.');
export const position = z.int().min(0).describe('Place among those that wait, from 1; 0 when it does not wait.');

/** Why a message did not complete. */
export const failureCode = z
  .string()
  .describe(
    [
      '- `worker_unavailable`: the engine could not be reached, or was too busy, in `MAX_ATTEMPTS` attempts',
      '- `attempts_exhausted`: each attempt was cut off by the end of a broker',
      '- `worker_rejected`, `worker_error`, `worker_unauthorized`: the engine answered with a `4xx`, with a `5xx` or an `error` event, or refused the key of the broker',
      '- `worker_timeout`: it was silent, or took, for too long',
      '- `worker_stream_broken`: its stream broke off, or ended without a last event',
      '- `cancelled`, `expired`',
    ].join('\n'),
  );

/** Of each event, the JSON in its data. */
export const EVENTS = {
  queued: z.object({ message_id: messageId, queue_position: position }),
  processing: z.object({ message_id: messageId, attempt: z.int().min(1) }),
  message: z
    .unknown()
    .describe(
      'An event of the engine, byte for byte: `{"type":"status","message"}`, `{"type":"progress","text"}`, `{"type":"tool_use","tool","input"}`, `{"type":"tool_result","tool","result"}`, `{"type":"keepalive"}`, and as its last one `{"type":"complete","response"}` or `{"type":"error","error"}`. It may send others.',
    ),
  retrying: z.object({ message_id: messageId, attempt: z.int().min(1), reason: z.string() }),
  done: z.object({ message_id: messageId, status: z.literal('completed') }),
  error: z.object({
    message_id: messageId,
    status: z.enum(['failed', 'cancelled', 'expired']),
    code: failureCode,
    error: z.string(),
  }),
};

const EXAMPLE = [
  'retry: 1000\n',
  `id: 1\nevent: queued\ndata: {"message_id":"${EXAMPLE_ID}","queue_position":1}\n`,
  `id: 2\nevent: processing\ndata: {"message_id":"${EXAMPLE_ID}","attempt":1}\n`,
  'id: 3\ndata: {"type":"progress","text":"For God so loved the world"}\n',
  'id: 4\ndata: {"type":"complete","response":{"responses":["For God so loved the world"],"response_language":"en"}}\n',
  `id: 5\nevent: done\ndata: {"message_id":"${EXAMPLE_ID}","status":"completed"}\n\n`,
].join('\n');

const TABLE = `Server-sent events; \`x-events\` has the schema of the JSON in \`data\` by the name of the event.

| event | data | meaning |
|---|---|---|
| \`queued\` | \`{"message_id","queue_position"}\` | first event; again, without an id, when the position changes |
| \`processing\` | \`{"message_id","attempt"}\` | the engine is being called |
| *(message)* | the engine's JSON, byte for byte | each of its events, in order |
| \`retrying\` | \`{"message_id","attempt","reason"}\` | what was streamed before is void |
| \`done\` | \`{"message_id","status":"completed"}\` | last |
| \`error\` | \`{"message_id","status","code","error"}\` | last |

Stored events have an \`id\`, from 1 in each message. Comment lines keep an idle connection open.`;

/** A message's events, as they are streamed. */
export const eventStream: Answer = {
  description: TABLE,
  headers: {
    'Cache-Control': header('Nothing on the way may hold events back.', z.string()),
    'X-Accel-Buffering': header('The same, for nginx.', z.literal('no')),
  },
  content: { 'text/event-stream': { schema: z.string(), example: EXAMPLE, 'x-events': EVENTS } },
};

/** How a stream goes on where it was. */
export const resuming = parameters(
  'header',
  z.object({ 'Last-Event-ID': z.string().regex(EVENT_ID).optional().describe('The stream goes on after this event.') }),
);
