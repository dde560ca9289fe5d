import { z } from 'zod';
import { Refusal } from '../errors.ts';

/** The longest an id may be: `user_id`, `client_id` and the like. */
const MAX_ID_CHARS = 256;

const CLEAN = 'must be valid Unicode without NUL characters or lone surrogates';
const text = z
  .string({ error: ({ input }) => (input === undefined ? 'is required' : 'must be a string') })
  .refine((value) => value.isWellFormed() && !value.includes('\0'), CLEAN);
const id = text
  .max(MAX_ID_CHARS, `must be at most ${MAX_ID_CHARS} characters long`)
  .refine((value) => value.trim() !== '', 'must not be empty');

/** What `POST /api/v1/message` takes. */
const newMessage = z
  .object({
    user_id: id,
    org_id: id,
    client_id: id,
    message: text.nullish(),
    message_type: z.enum(['text', 'audio'], 'must be "text" or "audio"').default('text'),
    client_message_id: id.nullish(),
    audio_base64: text.regex(/^[A-Za-z0-9+/_-]*={0,2}$/, 'must be base64').nullish(),
    audio_format: id.nullish(),
    chat_type: id.nullish(),
    chat_id: z.union([id, z.int()], 'must be a string or a whole number').nullish(),
    thread_id: z.union([id, z.int()], 'must be a string or a whole number').nullish(),
    speaker: text.nullish(),
    addressed_to_bot: z.boolean('must be true or false').nullish(),
    response_language_hint: id.nullish(),
    callback_url: z.null('is not served by this version; leave it out and read the stream').optional(),
    if_busy: z.literal('enqueue', 'can only be "enqueue" in this version').nullish(),
  })
  .superRefine((body, issues) => {
    const miss = (path: string, message: string) => issues.addIssue({ code: 'custom', path: [path], message });
    if (body.message_type === 'audio') {
      if (!body.audio_base64) miss('audio_base64', 'is required with message_type "audio"');
      if (!body.audio_format) miss('audio_format', 'is required with message_type "audio"');
    } else if (!body.message?.trim()) miss('message', 'must not be blank');
  });

export type MessageBody = z.infer<typeof newMessage>;

const streamQuery = z.object({
  user_id: id,
  message_id: id,
  last_event_id: z.string('must be given once').optional(),
});

/** The body as a message. Throws a `422` that names every wrong field. */
export function readMessage(body: unknown): MessageBody {
  return check(newMessage, body);
}

export function readStreamQuery(query: unknown): z.infer<typeof streamQuery> {
  return check(streamQuery, query);
}

/** The `user_id` among the parameters of a path. */
export function readUserId(params: unknown): string {
  return check(z.object({ user_id: id }), params).user_id;
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value, {
    error: (issue) => {
      return issue.code === 'invalid_type' && issue.expected === 'object' ? 'must be a JSON object' : undefined;
    },
  });
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }));
  const named = errors.map(({ path, message }) => `${path || 'The body'} ${message}`).join('; ');
  throw new Refusal(422, 'invalid_fields', `${named}.`, { errors });
}
