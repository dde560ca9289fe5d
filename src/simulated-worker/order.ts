import { type Body, chatId, text } from './body.ts';

const MODES = ['complete', 'iteration', 'periodic', 'sentence'] as const;

/** Where a client of `/chat/callback` wants its answer, and how much of it while it comes. */
export interface CallbackOrder {
  url: URL;
  mode: (typeof MODES)[number];
  /** Between two progress callbacks of the mode `periodic`. */
  throttleMs: number;
  message_key: string;
  /** As given. */
  chat_id: string;
  thread_id: string;
}

/** The fields that only `/chat/callback` knows. */
export const CALLBACK_FIELDS = [
  'progress_callback_url',
  'progress_mode',
  'progress_throttle_seconds',
  'message_key',
] as const;

/** The engine's own is in no recording. */
const THROTTLE_SECONDS = 3;

/** Reads the callback fields: the order, or the text of the `400`. */
export function readOrder(body: Body): CallbackOrder | string {
  const address = text(body['progress_callback_url']);
  if (address === '') return 'progress_callback_url is required';
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol)) return 'progress_callback_url must be an http or https URL';
  const message_key = text(body['message_key']);
  if (message_key === '') return 'message_key is required';
  const wish = body['progress_mode'] ?? 'iteration';
  const mode = MODES.find((one) => one === wish);
  if (mode === undefined) return `progress_mode must be one of ${MODES.join(', ')}`;
  const seconds = body['progress_throttle_seconds'] ?? THROTTLE_SECONDS;
  if (typeof seconds !== 'number' || !(seconds > 0)) return 'progress_throttle_seconds must be a positive number';
  const chat = { chat_id: chatId(body['chat_id']), thread_id: chatId(body['thread_id']) };
  return { url, mode, throttleMs: seconds * 1000, message_key, ...chat };
}
