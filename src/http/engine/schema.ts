import { z } from 'zod';
import { MAX_ID_CHARS, queueOf as queueNamed, text } from '../schema.ts';
import { EngineFault } from './fault.ts';

/** What the engine takes where nothing is said (recordings 13 and 14). */
const DEFAULT_ORG = 'unfoldingWord';
const DEFAULT_THROTTLE_SECONDS = 3;
const CALLBACK_FIELDS = ['progress_callback_url', 'progress_mode', 'progress_throttle_seconds', 'message_key'] as const;

const id = text
  .max(MAX_ID_CHARS, `must be at most ${MAX_ID_CHARS} characters long`)
  .refine((value) => value.trim() !== '', 'is required')
  .meta({ minLength: 1, description: 'Not blank; valid Unicode without NUL characters.' });
const chatId = z.union([id, z.int()], 'must be a string or a whole number');

const chatFields = z.object({
  client_id: id,
  user_id: id,
  message: text.nullish().describe('The text; the engine asks for one unless `message_type` is `audio`.'),
  message_type: z.enum(['text', 'audio'], 'must be text or audio').nullish(),
  org: id.nullish().describe('`unfoldingWord` when neither is given.'),
  org_id: id.nullish().describe('The same as `org`, which goes first.'),
  audio_base64: text.nullish(),
  audio_format: text.nullish(),
  chat_type: text.nullish(),
  chat_id: chatId.nullish(),
  thread_id: chatId.nullish(),
  // Whatever the engine makes of it.
  speaker: z.unknown().optional(),
  addressed_to_bot: z.boolean('must be true or false').nullish(),
  response_language_hint: text.nullish(),
});

/** What `/chat` and `/chat/stream` take. */
export const chatMessage = chatFields.meta({
  id: 'ChatMessage',
  description: 'A message as the engine takes it. The fields of a callback are refused; others are ignored.',
});

const callbackFields = chatFields.extend({
  progress_callback_url: text
    .max(2048, 'must be at most 2048 characters long')
    .describe('A public `https` URL, without a user or a password.'),
  message_key: id.describe('Comes back with each callback. The same one of a client is accepted once, for 24 hours.'),
  progress_mode: z
    .enum(['iteration', 'sentence', 'periodic', 'complete'], 'must be one of iteration, sentence, periodic, complete')
    .nullish(),
  progress_throttle_seconds: z
    .number('must be a number')
    .min(0, 'must not be negative')
    .max(3600, 'is too large')
    .nullish()
    .describe('Between two callbacks in the mode `periodic`: 3 when not given.'),
});

/** What `/chat/callback` takes. */
export const callbackMessage = callbackFields.meta({
  id: 'CallbackMessage',
  description: 'A message as the engine takes it, and where its progress is posted. Other fields are ignored.',
});

/** What the engine is sent of a body. */
const ENGINE_FIELDS: ReadonlySet<string> = new Set(Object.keys(chatFields.omit({ org_id: true }).shape));

export type ChatBody = z.infer<typeof chatMessage>;
export type CallbackBody = z.infer<typeof callbackMessage>;

/** A body of `/chat` or `/chat/stream`. Throws EngineFault. */
export function readChat(body: unknown): ChatBody {
  const stray = CALLBACK_FIELDS.find((field) => typeof body === 'object' && body !== null && field in body);
  if (stray) throw new EngineFault(400, 'invalid_fields', `${stray} is only supported on /api/v1/chat/callback`);
  return check(chatMessage, body);
}

/** A body of `/chat/callback`. Throws EngineFault. */
export function readCallback(body: unknown): CallbackBody & { readonly throttleSeconds: number } {
  const read = check(callbackMessage, body);
  return { ...read, throttleSeconds: read.progress_throttle_seconds ?? DEFAULT_THROTTLE_SECONDS };
}

/** What the engine is sent, as the client sent it: only its own fields. */
export function requestOf(body: ChatBody): Record<string, unknown> {
  const given = Object.entries({ ...body, org: body.org ?? body.org_id, message_type: body.message_type ?? 'text' });
  return Object.fromEntries(given.filter(([name, value]) => value != null && ENGINE_FIELDS.has(name)));
}

/** The queue it belongs to: the same as that of `POST /api/v1/message`. */
export function queueOf(body: ChatBody): string {
  return queueNamed(body, body.org ?? body.org_id ?? DEFAULT_ORG);
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.');
  const error = path ? `${path} ${issue?.message}` : 'The request body must be a JSON object';
  throw new EngineFault(400, 'invalid_fields', error);
}
