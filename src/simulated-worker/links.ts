import type { IncomingMessage } from 'node:http';
import type { ChatRequest } from './request.ts';
import { type Random, uuid } from './wire.ts';

/** Where links in an answer point: at the host that the client asked. */
export function originOf({ headers, socket }: IncomingMessage): string {
  return `http://${headers.host ?? `localhost:${socket.localPort}`}`;
}

/** The key that the client calls with. */
export function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer +([^ ].*)$/i.exec(headers.authorization ?? '')?.[1];
}

/** The name under which a spoken answer is kept; safe in a path. */
export function voiceKey({ org, user_id }: ChatRequest, random: Random): string {
  return `${path('audio', org, user_id)}/${uuid(random)}.opus`;
}

/** Where a spoken answer can be fetched. */
export function voiceUrl(origin: string, key: string): string {
  return `${origin}/api/v1/audio/${key}`;
}

/** The name under which a voice message is kept: by whose conversation it is in, and who spoke. */
export function submissionKey({ org, user_id, group }: ChatRequest, format: string, random: Random): string {
  return `${path('voice-submissions', org, group?.chat_id ?? user_id, user_id)}/${uuid(random)}.${format}`;
}

/** Where a voice message can be fetched. */
export function submissionUrl(origin: string, key: string): string {
  return `${origin}/api/v1/voice-submissions/${key}`;
}

function path(...names: readonly string[]): string {
  return names.map(encodeURIComponent).join('/');
}
