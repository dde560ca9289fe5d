import { submissionUrl, voiceUrl } from './links.ts';
import type { Reply } from './reply.ts';
import type { ChatRequest } from './request.ts';

interface Entry {
  user_message: string;
  assistant_response: string;
  timestamp: number;
  speaker?: string;
  voice_audio_key?: string;
  inbound_voice_audio_key?: string;
}

/** Under which names the audio of one turn is kept. */
export interface TurnAudio {
  answer?: string | undefined;
  submission?: string | undefined;
}

/** Whose history: a user's of an organization, or a group's (and thread's). */
export type Whose = { org: string } & ({ user_id: string } | { chat_id: string; thread_id: string });

/** What was said, in the order in which the turns ended. */
export class History {
  readonly #entries = new Map<string, Entry[]>();

  add({ org, user_id, text, group }: ChatRequest, reply: Reply, { answer, submission }: TurnAudio): void {
    const entry: Entry = {
      user_message: text,
      assistant_response: reply.responses.join('\n'),
      timestamp: Date.now(),
    };
    if (group !== undefined && group.speaker !== '') entry.speaker = group.speaker;
    if (answer !== undefined) entry.voice_audio_key = answer;
    if (submission !== undefined) entry.inbound_voice_audio_key = submission;
    const key = keyOf(group === undefined ? { org, user_id } : { org, ...group });
    const entries = this.#entries.get(key) ?? [];
    entries.push(entry);
    this.#entries.set(key, entries);
  }

  /** One page as the engine answers it, with links to `origin`. */
  page(whose: Whose, query: URLSearchParams, origin: string): object {
    const all = this.#entries.get(keyOf(whose)) ?? [];
    const limit = count(query.get('limit'), 50);
    const offset = count(query.get('offset'), 0);
    return {
      user_id: 'user_id' in whose ? whose.user_id : '',
      entries: all.slice(offset, offset + limit).map((entry) => ({
        ...entry,
        created_at: new Date(entry.timestamp).toISOString(),
        voice_audio_url: linkTo(entry.voice_audio_key, origin, voiceUrl),
        inbound_voice_audio_url: linkTo(entry.inbound_voice_audio_key, origin, submissionUrl),
      })),
      total_count: all.length,
      limit,
      offset,
    };
  }

  forget(): void {
    this.#entries.clear();
  }
}

function keyOf(whose: Whose): string {
  const { org } = whose;
  return JSON.stringify('user_id' in whose ? [org, whose.user_id] : [org, whose.chat_id, whose.thread_id]);
}

function linkTo(key: string | undefined, origin: string, url: (origin: string, key: string) => string): string | null {
  return key === undefined ? null : url(origin, key);
}

function count(value: string | null, otherwise: number): number {
  return value !== null && /^\d{1,9}$/.test(value) ? Number(value) : otherwise;
}
