/** One call's body, checked and picked apart. */
export interface ChatRequest {
  user_id: string;
  client_id: string;
  org: string;
  audio: boolean;
  /** The text: of the message, or what the audio "says" (its bytes, read as UTF-8). */
  text: string;
  response_language: string;
  /** Not addressed to the bot, in a group: there is nothing to say. */
  ambient: boolean;
  /** What the engine reports as an `error` event instead of a `400`. */
  fault?: string;
  /** The queue that should keep this call apart from others: the user, or the group (and thread). */
  queue: string;
}

export type Body = Readonly<Record<string, unknown>>;

const FORMATS = ['ogg', 'mp3', 'wav', 'webm', 'flac', 'm4a'];
const CALLBACK_FIELDS = ['progress_callback_url', 'progress_mode', 'progress_throttle_seconds', 'message_key'];

/** Reads a JSON object; undefined when the text is none. */
export function parseBody(raw: string): Body | undefined {
  try {
    const value: unknown = JSON.parse(raw);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Checks a body of `/chat/stream`: the request, or the text of the `400`. */
export function readRequest(body: Body | undefined): ChatRequest | string {
  if (body === undefined) return 'Invalid JSON in request body';
  const user_id = text(body['user_id']);
  const client_id = text(body['client_id']);
  if (user_id === '') return 'user_id is required';
  if (client_id === '') return 'client_id is required';
  const stray = CALLBACK_FIELDS.find((field) => body[field] !== undefined);
  if (stray !== undefined) return `${stray} is only supported on /api/v1/chat/callback`;
  const type = body['message_type'] ?? 'text';
  if (type !== 'text' && type !== 'audio') return 'message_type must be text or audio';

  const org = text(body['org']) || text(body['org_id']) || 'unfoldingWord';
  const audio = type === 'audio';
  const group = body['chat_type'] === 'group' || body['chat_type'] === 'supergroup';
  const request: ChatRequest = {
    user_id,
    client_id,
    org,
    audio,
    text: audio ? Buffer.from(text(body['audio_base64']), 'base64').toString() : text(body['message']),
    response_language: text(body['response_language_hint']) || 'en',
    ambient: group && !audio && body['addressed_to_bot'] === false,
    queue: group
      ? ['group', org, chatId(body['chat_id']), chatId(body['thread_id'])].filter((part) => part !== '').join(':')
      : user_id,
  };
  const fault = faultOf(request, text(body['audio_base64']), text(body['audio_format']));
  if (fault !== undefined) request.fault = fault;
  return request;
}

function faultOf(request: ChatRequest, base64: string, format: string): string | undefined {
  if (!request.audio) return request.text.trim() === '' ? 'Message is required' : undefined;
  if (base64 === '' || format === '') return 'audio_base64 and audio_format are required when message_type is audio';
  if (!FORMATS.includes(format.replace(/^audio\//, '')))
    return `Unsupported audio format: ${format}. Supported: ${FORMATS.join(', ')}`;
  return request.text.trim() === '' ? 'Transcription returned empty text' : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Telegram's ids are numbers, which some clients send as they are. */
function chatId(value: unknown): string {
  return typeof value === 'number' ? String(value) : text(value);
}
