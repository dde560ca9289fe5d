import { z } from 'zod';
import { Refusal } from '../errors.ts';
import { isObject } from '../json.ts';

/** The longest an id may be: `user_id`, `client_id` and the like. */
export const MAX_ID_CHARS = 256;
/** A group chat's queue is named by up to three ids. */
const MAX_QUEUE_CHARS = 1024;

const CLEAN = 'must be valid Unicode without NUL characters or lone surrogates';
/** A text that can be stored and sent on as it is. */
export const text = z
  .string({ error: ({ input }) => (input === undefined ? 'is required' : 'must be a string') })
  .refine((value) => value.isWellFormed() && !value.includes('\0'), CLEAN)
  .describe('Valid Unicode without NUL characters or lone surrogates.');
const idOf = (most: number) =>
  text
    .max(most, `must be at most ${most} characters long`)
    .refine((value) => value.trim() !== '', 'must not be empty')
    .meta({ minLength: 1, description: 'Not blank; valid Unicode without NUL characters.' });
const id = idOf(MAX_ID_CHARS);
/** Telegram's are numbers. */
const chatId = z.union([id, z.int('must be a whole number that JSON can hold')], 'must be a string or a whole number');
/** Names a queue: a user, or a group chat. */
const queueId = idOf(MAX_QUEUE_CHARS).describe(
  'Names the queue: the `user_id` of a private chat, or `group:{org_id}:{chat_id}` or `group:{org_id}:{chat_id}:{thread_id}`.',
);

const WITH_AUDIO = 'is required with message_type "audio"';

/** What `POST /api/v1/message` takes. */
export const newMessage = z
  .object({
    user_id: id.describe('Who says it; not blank. Names the queue of a private chat.'),
    org_id: id.describe('Not blank. The engine knows it as `org`.'),
    client_id: id.describe('Which client sends it, such as `web`; not blank.'),
    message: text.nullish().describe('The text. Must not be blank, unless `message_type` is `audio`.'),
    message_type: z.enum(['text', 'audio'], 'must be "text" or "audio"').default('text'),
    client_message_id: id
      .nullish()
      .describe(
        'Your own id: sent again within 24 hours, with the same `user_id` and `client_id`, it is accepted once.',
      ),
    audio_base64: text
      .regex(/^[A-Za-z0-9+/_-]*={0,2}$/, 'must be base64')
      .nullish()
      .describe('Required with `message_type` `audio`.'),
    audio_format: id.nullish().describe('Such as `ogg`. Required with `message_type` `audio`.'),
    chat_type: id.nullish().describe('The speakers of a `group` or `supergroup` share one queue.'),
    chat_id: chatId.nullish().describe('Required in a group.'),
    thread_id: chatId.nullish().describe('Each thread of a group has its own queue.'),
    speaker: text.nullish(),
    addressed_to_bot: z.boolean('must be true or false').nullish(),
    response_language_hint: id.nullish(),
    callback_url: text
      .max(2048, 'must be at most 2048 characters long')
      .nullish()
      .describe('A public `https` URL, without a user or a password, to which the end is posted.'),
    if_busy: z
      .enum(['enqueue', 'reject', 'interrupt'], 'must be "enqueue", "reject" or "interrupt"')
      .nullish()
      .describe(
        'When a message waits or runs: `enqueue` (default); `reject`: `409`; `interrupt`: all of them are cancelled.',
      ),
  })
  .refine((body) => body.message_type === 'audio' || !isBlank(body.message), needs('message', 'must not be blank'))
  .refine((body) => body.message_type !== 'audio' || !isBlank(body.audio_base64), needs('audio_base64', WITH_AUDIO))
  .refine((body) => body.message_type !== 'audio' || !isBlank(body.audio_format), needs('audio_format', WITH_AUDIO))
  .refine(
    (body) => !isGroup(body.chat_type) || body.chat_id != null,
    needs('chat_id', 'is required with this chat_type'),
  )
  .meta({ id: 'NewMessage', description: 'What one person says. Other fields are ignored.' });

/** What a field must be because of another one: told also when there are other faults, in one answer. */
function needs(path: string, message: string) {
  return {
    path: [path],
    message,
    when: ({ value }: { value: unknown }) => isObject(value),
  };
}

/** One that is no text at all is another fault. */
function isBlank(value: unknown): boolean {
  return value == null || (typeof value === 'string' && value.trim() === '');
}

function isGroup(chatType: string | null | undefined): boolean {
  return chatType === 'group' || chatType === 'supergroup';
}

/** What tells the queue of a message, by whichever door it comes. */
type Sender = Pick<MessageBody, 'user_id' | 'chat_id' | 'thread_id'> & {
  readonly chat_type?: string | null | undefined;
};

/** The queue that a message belongs to: its user's, or its group chat's. */
export function queueOf({ user_id, chat_type, chat_id, thread_id }: Sender, org: string): string {
  if (!isGroup(chat_type) || chat_id == null) return user_id;
  return ['group', org, chat_id, ...(thread_id == null ? [] : [thread_id])].join(':');
}

export type MessageBody = z.infer<typeof newMessage>;

const messageId = id.describe('As it was answered when the message was accepted.');

/** Of an event of a stream, or 0 before the first one. */
export const EVENT_ID = /^\d{1,15}$/;

/** What a message's stream is asked with. */
export const streamQuery = z.object({
  user_id: queueId,
  message_id: messageId,
  last_event_id: z
    .string('must be given once')
    .optional()
    // Looked at together with the header, which goes first.
    .meta({ pattern: EVENT_ID.source, description: 'As the header `Last-Event-ID`, for whoever cannot send it.' }),
});

/** What of a path names a queue. */
export const queuePath = z.object({ user_id: queueId });
/** What of a path names a message. */
export const messagePath = z.object({ user_id: queueId, message_id: messageId });

/** The body as a message. Throws a `422` that names every wrong field. */
export function readMessage(body: unknown): MessageBody {
  return check(newMessage, body);
}

export function readStreamQuery(query: unknown): z.infer<typeof streamQuery> {
  return check(streamQuery, query);
}

/** The queue that the parameters of a path name as `user_id`. */
export function readQueueId(params: unknown): string {
  return check(queuePath, params).user_id;
}

/** The queue and the message that the parameters of a path name. */
export function readMessagePath(params: unknown): { queue: string; messageId: string } {
  const { user_id, message_id } = check(messagePath, params);
  return { queue: user_id, messageId: message_id };
}

const PAGE = 'must be a whole number from 1 to 500';

/** Which page of a list. */
export const pageQuery = z.object({
  limit: z
    .string('must be given once')
    .regex(/^\d{1,4}$/, PAGE)
    .transform(Number)
    .pipe(z.int().min(1, PAGE).max(500, PAGE))
    .default(50)
    .describe('Items in a page.'),
  cursor: z
    .string('must be given once')
    .regex(/^\d{1,15}~.+$/, 'must be the next_cursor of the page before')
    .optional()
    .describe('The `next_cursor` of the page before.'),
});

/** What of a message is to be tried again. */
export const retryQuery = z.object({
  only: z
    .literal('callback', 'must be "callback"')
    .optional()
    .describe('The callback that was given up is sent again, whatever became of the message.'),
});

/** What of a dead letter is to be discarded. */
export const discardQuery = z.object({
  only: z
    .literal('callback', 'must be "callback"')
    .optional()
    .describe('The callback that was given up is discarded, and not its message.'),
});

export function readDiscardQuery(query: unknown): z.infer<typeof discardQuery> {
  return check(discardQuery, query);
}

export function readRetryQuery(query: unknown): z.infer<typeof retryQuery> {
  return check(retryQuery, query);
}

export function readPageQuery(query: unknown): z.infer<typeof pageQuery> {
  return check(pageQuery, query);
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
