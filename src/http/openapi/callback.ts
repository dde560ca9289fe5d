import { z } from 'zod';
import { failureCode, messageId, result } from './event.ts';
import { ANYONE, type Answers, type Operation, type Paths, parameters, TRACE } from './operation.ts';

const COMMON = { message_id: messageId, user_id: z.string(), client_message_id: z.string().nullable() };
const { responses, response_language, voice_audio_base64, voice_audio_url, attachments } = result.shape;

const ended = z
  .discriminatedUnion('status', [
    z.object({
      ...COMMON,
      status: z.literal('completed'),
      responses: responses.unwrap(),
      response_language,
      voice_audio_base64,
      voice_audio_url,
      attachments,
    }),
    z.object({ ...COMMON, status: z.literal('error'), code: failureCode, error: z.string() }),
  ])
  .meta({ id: 'MessageEnded', description: 'The end of a message.' });

const chatId = z.union([z.string(), z.int()]).optional();
const TOLD = {
  user_id: z.string(),
  message_key: z.string(),
  timestamp: z.iso.datetime(),
  chat_id: chatId,
  thread_id: chatId,
};

const progress = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('status'), message: z.string(), ...TOLD }),
    z.object({ type: z.literal('progress'), text: z.string(), ...TOLD }),
    z.object({
      type: z.literal('complete'),
      text: z.string(),
      voice_audio_base64: z.string().optional(),
      voice_audio_url: z.string().optional(),
      attachments: z.array(z.unknown()).optional(),
      ...TOLD,
    }),
    z.object({ type: z.literal('error'), error: z.string(), ...TOLD }),
  ])
  .meta({ id: 'EngineCallback', description: 'What the engine itself would post; `complete` or `error` is the last.' });

const webhookId = z.string().describe('The same each time one end is posted: take each once.');
const signed = z.object({
  'webhook-id': webhookId,
  'webhook-timestamp': z.string().regex(/^\d+$/).describe('When it is posted, in seconds since 1970.'),
  'webhook-signature': z.string().optional().describe('With `CALLBACK_SECRET`: as Standard Webhooks specifies.'),
  ...TRACE,
});
const engineHeaders = z.object({
  'webhook-id': webhookId.optional().describe('Of the last one: the same each time it is posted.'),
  'X-Engine-Token': z.string().describe('The key that the client called with; empty if it had none.'),
  ...TRACE,
});

const taken: Answers = {
  '2XX': { description: 'It is taken.' },
  '410': { description: 'Nothing more is to be sent.' },
  default: { description: 'It is tried again, or when `Retry-After` says, for up to `CALLBACK_RETRY_SECONDS`.' },
};

const postEnd: Operation = {
  operationId: 'onMessageEnded',
  tags: ['Messages'],
  summary: 'The message has ended',
  description: "A user's callbacks to one URL come in the order in which the messages ended.",
  security: ANYONE,
  parameters: parameters('header', signed),
  requestBody: { required: true, content: { 'application/json': { schema: ended } } },
  responses: taken,
};

const postProgress: Operation = {
  operationId: 'onEngineProgress',
  tags: ['Engine'],
  summary: 'The message gets on, or has ended',
  description: 'Progress is posted once; the last one is tried again until it is taken.',
  security: ANYONE,
  parameters: parameters('header', engineHeaders),
  requestBody: { required: true, content: { 'application/json': { schema: progress } } },
  responses: taken,
};

/** What is posted to the `callback_url` of a message. */
export const messageEnded: Paths = { '{$request.body#/callback_url}': { post: postEnd } };
/** What is posted to the `progress_callback_url` of a message that came by the engine's own interface. */
export const engineProgress: Paths = { '{$request.body#/progress_callback_url}': { post: postProgress } };
