import { z } from 'zod';
import { callbackMessage, chatMessage } from '../engine/schema.ts';
import { engineProgress } from './callback.ts';
import { messageId, result } from './event.ts';
import {
  ANYONE,
  type Answer,
  type Answers,
  either,
  json,
  type Operation,
  type Paths,
  parameters,
  TRACE,
} from './operation.ts';
import { headersOf, problems } from './problem.ts';

const fault = z
  .object({
    error: z.string(),
    code: z.string().optional().describe('In capitals.'),
    message: z.string().optional().describe('What there is to say besides.'),
    retry_after_ms: z.int().min(0).optional(),
  })
  .meta({ id: 'EngineFault', description: 'A fault in the shape of the engine.' });

const EXAMPLE = { client_id: 'web', user_id: 'ruth', message: 'What is John 3:16?' };

/** Answers with a fault in the engine's shape. */
export function faults(meanings: Readonly<Record<number, string>>): Answers {
  return Object.fromEntries(
    Object.entries(meanings).map(([status, meaning]) => {
      // The engine names no way to authenticate.
      const headers = status === '401' ? {} : headersOf(Number(status));
      return [status, { ...json(meaning, fault), headers }];
    }),
  );
}

/** Told before any route is reached, in the broker's words. */
const unread = problems(['malformed_request', 'headers_too_large']);
const KEY_FAULTS = { 401: 'There is no key.', 403: 'The key is not one of `BROKER_API_KEY`.' };

const chatFaults = either(
  faults({
    ...KEY_FAULTS,
    400: 'The body is no JSON, or `error` names the first field that is wrong.',
    413: '`BODY_TOO_LARGE`',
    415: '`WRONG_CONTENT_TYPE`: it is compressed in a way that is not known.',
    429: '`QUEUE_FULL`',
    500: '`INTERNAL_ERROR`',
    503: '`DRAINING`, `BODIES_FULL`, `STORE_UNAVAILABLE` or `STORE_FULL`',
  }),
  unread,
);
const forgotten = faults({
  404: 'A message with the same `Idempotency-Key` was answered, and has been forgotten since.',
});

const engineStream: Answer = {
  description:
    "The engine's events, each as a `data:` line: no names, no ids. While the message waits, a `status` that tells how many are ahead, and a `keepalive` at least every 25 s. `complete` or `error` is the last.",
  content: {
    'text/event-stream': {
      schema: z.string(),
      example: 'data: {"type":"status","message":"Queued — 1 ahead of you"}\n\n',
      'x-events': { message: z.unknown() },
    },
  },
};

const headers = z.object({
  'Idempotency-Key': z.string().max(256).optional().describe('The same one of a `user_id` is accepted once.'),
  ...TRACE,
});
const body = (schema: z.ZodType, example: unknown) =>
  ({ required: true, content: { 'application/json': { schema, example } } }) as const;

const postChatStream: Operation = {
  operationId: 'postChatStream',
  tags: ['Engine'],
  summary: 'Chat, streamed',
  parameters: parameters('header', headers),
  requestBody: body(chatMessage, EXAMPLE),
  responses: either({ '200': engineStream }, chatFaults, forgotten),
};

const postChat: Operation = {
  operationId: 'postChat',
  tags: ['Engine'],
  summary: 'Chat',
  description: 'Held open until the message’s turn has come and gone.',
  parameters: parameters('header', headers),
  requestBody: body(chatMessage, EXAMPLE),
  responses: either(
    { '200': json("The engine's final JSON.", result.extend({ message_id: messageId })) },
    chatFaults,
    forgotten,
    faults({ 502: 'The engine failed (`CLAUDE_API_ERROR`), or did not answer: then `code` is that of the failure.' }),
  ),
};

const postChatCallback: Operation = {
  operationId: 'postChatCallback',
  tags: ['Engine'],
  summary: 'Chat, told to a URL',
  parameters: parameters('header', headers),
  requestBody: body(callbackMessage, {
    ...EXAMPLE,
    message_key: '42',
    progress_callback_url: 'https://gateway.example/callback',
  }),
  responses: either({ '202': json('It is in the store.', z.object({ message_id: messageId })) }, chatFaults),
  callbacks: { engineProgress },
};

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
const below = z.object({ path: z.string().describe('Anything, also with slashes.') });

/** What the engine answers is its own, also under a status that the broker has a fault for. */
function passedAnswers(meanings: Readonly<Record<number, string>>): Answers {
  const all = {
    ...meanings,
    400: 'The path holds `.` or `..` segments, or backslashes.',
    500: '`INTERNAL_ERROR`',
    502: '`WORKER_UNREACHABLE`',
  };
  const content = { '*/*': { schema: z.unknown() } };
  const answers = Object.entries(all).map(([status, meaning]): [string, Answer] => [
    status,
    { description: `As \`EngineFault\`: ${meaning}\n\nOr what the engine answers.`, content },
  ]);
  return either({ default: { description: 'What the engine answers.', content } }, Object.fromEntries(answers), unread);
}

/** What goes straight through to the engine and back: method, query, body and status are untouched. */
function passed(name: string, path: string, more: Partial<Operation> = {}): Paths {
  const operation = (method: (typeof METHODS)[number], rest: string): Operation => ({
    operationId: `${method}${name}${rest && 'Below'}`,
    tags: ['Engine'],
    summary: `${method.toUpperCase()} ${path}${rest && '/…'}`,
    description: 'Goes straight through to the engine, with its own key in place of the client’s.',
    responses: passedAnswers(KEY_FAULTS),
    'x-group': `Everything at ${path}`,
    ...(rest ? { parameters: parameters('path', below) } : {}),
    ...more,
  });
  const operations = (rest: string) =>
    Object.fromEntries(METHODS.map((method): [string, Operation] => [method, operation(method, rest)]));
  return { [path]: operations(''), [`${path}/{path}`]: operations('/{path}') };
}

export const ENGINE_PATHS: Paths = {
  '/api/v1/chat/stream': { post: postChatStream },
  '/api/v1/chat': { post: postChat },
  '/api/v1/chat/callback': { post: postChatCallback },
  ...passed('Orgs', '/api/v1/orgs'),
  ...passed('Audio', '/api/v1/audio'),
  ...passed('VoiceSubmissions', '/api/v1/voice-submissions'),
  ...passed('Admin', '/api/v1/admin', {
    description: 'Administration of the engine: passed through with `PASSTHROUGH_ADMIN=true` only.',
    responses: passedAnswers({ ...KEY_FAULTS, 404: '`PASSTHROUGH_ADMIN` is not set.' }),
  }),
  ...passed('Public', '/public', {
    description: 'Public files of the engine.',
    security: ANYONE,
    responses: passedAnswers({}),
  }),
};
