import { type Body, chatId, text } from './body.ts';
import { CALLBACK_FIELDS, type CallbackOrder, readOrder } from './order.ts';

/** The three ways to an answer: a stream, one JSON at the end, callbacks. */
export type Endpoint = 'stream' | 'final' | 'callback';

/** What a turn cannot begin with, and the name that the engine has for it outside a stream. */
interface Fault {
  name: 'ValidationError' | 'AudioTranscriptionError';
  message: string;
}

/** One call's body, checked and picked apart. */
export interface ChatRequest {
  user_id: string;
  client_id: string;
  org: string;
  /** A voice message, as it came. */
  voice?: { bytes: Buffer; format: string };
  /** The text: of the message, or what the audio "says" (its bytes, read as UTF-8). */
  text: string;
  response_language: string;
  /** The group that it was said in, and by whom. */
  group?: { chat_id: string; thread_id: string; speaker: string };
  /** Not addressed to the bot, in a group: there is nothing to say. */
  ambient: boolean;
  /** What the engine reports as an `error` event instead of a `400`. */
  fault?: Fault;
  /** The queue that should keep this call apart from others: the user, or the group (and thread). */
  queue: string;
  /** Of `/chat/callback` only. */
  order?: CallbackOrder;
}

const FORMATS = ['ogg', 'mp3', 'wav', 'webm', 'flac', 'm4a'];

/** Checks a body: the request, or the text of the `400`. */
export function readRequest(body: Body | undefined, endpoint: Endpoint): ChatRequest | string {
  if (body === undefined) return 'Invalid JSON in request body';
  const user_id = text(body['user_id']);
  const client_id = text(body['client_id']);
  if (user_id === '') return 'user_id is required';
  if (client_id === '') return 'client_id is required';
  const stray = endpoint === 'callback' ? undefined : CALLBACK_FIELDS.find((field) => body[field] !== undefined);
  if (stray !== undefined) return `${stray} is only supported on /api/v1/chat/callback`;
  const type = body['message_type'] ?? 'text';
  if (type !== 'text' && type !== 'audio') return 'message_type must be text or audio';
  const order = endpoint === 'callback' ? readOrder(body) : undefined;
  if (typeof order === 'string') return order;

  const org = text(body['org']) || text(body['org_id']) || 'unfoldingWord';
  const base64 = text(body['audio_base64']);
  const voice = { bytes: Buffer.from(base64, 'base64'), format: text(body['audio_format']).replace(/^audio\//, '') };
  const audio = type === 'audio';
  const grouped = body['chat_type'] === 'group' || body['chat_type'] === 'supergroup';
  const chat = { chat_id: chatId(body['chat_id']), thread_id: chatId(body['thread_id']) };
  const request: ChatRequest = {
    user_id,
    client_id,
    org,
    text: audio ? voice.bytes.toString() : text(body['message']),
    response_language: text(body['response_language_hint']) || 'en',
    ambient: grouped && !audio && body['addressed_to_bot'] === false,
    queue: grouped ? ['group', org, chat.chat_id, chat.thread_id].filter((part) => part !== '').join(':') : user_id,
  };
  if (audio) request.voice = voice;
  if (grouped) request.group = { ...chat, speaker: text(body['speaker']) };
  if (order !== undefined) request.order = order;
  const fault = faultOf(request, base64, text(body['audio_format']));
  if (fault !== undefined) request.fault = fault;
  return request;
}

function faultOf(request: ChatRequest, base64: string, format: string): Fault | undefined {
  const invalid = (message: string): Fault => ({ name: 'ValidationError', message });
  const unheard = (message: string): Fault => ({ name: 'AudioTranscriptionError', message });
  const empty = request.text.trim() === '';
  if (request.voice === undefined) return empty ? invalid('Message is required') : undefined;
  if (base64 === '' || format === '')
    return invalid('audio_base64 and audio_format are required when message_type is audio');
  if (!FORMATS.includes(request.voice.format))
    return unheard(`Unsupported audio format: ${format}. Supported: ${FORMATS.join(', ')}`);
  return empty ? unheard('Transcription returned empty text') : undefined;
}
