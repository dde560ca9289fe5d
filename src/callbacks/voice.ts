import { objectIn } from '../json.ts';
import { responseIn } from '../store/result.ts';
import type { LogEvent } from '../store/store.ts';
import type { EngineDetails } from './details.ts';

/** One thing to tell: how the message gets on, or how it ended. */
export type Utterance = { readonly last: boolean; readonly fields: Readonly<Record<string, unknown>> };

/** So far in a reply, what of it makes whole sentences. */
const SENTENCES = /^.*[.!?…。！？](?=\s|$)\s?/su;

/**
 * Says of one message what the engine says in its own callbacks (recordings 10 and 14), from the message's log. The modes
 * differ in when `progress` is told and what it holds: each iteration's text once it is whole, or all of the text so far
 * at each sentence or after so many seconds, or nothing.
 */
export class Voice {
  readonly #details: EngineDetails;
  #whole = '';
  #iteration = '';
  /** How much of the whole text was told. */
  #told = 0;
  #toldAtMs: number;
  #response: Readonly<Record<string, unknown>> | undefined;
  readonly #keepFrom: number;

  /** What an iteration said comes with the end when it was whole at event `keepFrom` or later: it was told in vain. */
  constructor(details: EngineDetails, nowMs: number, keepFrom = Infinity) {
    this.#details = details;
    this.#toldAtMs = nowMs;
    this.#keepFrom = keepFrom;
  }

  /** What is to be told once the log has this event, in order. */
  hear({ name, data }: LogEvent, id: number, nowMs: number): readonly Utterance[] {
    switch (name) {
      case '':
        return this.#worker(data, id, nowMs);
      case 'retrying':
        // What was said before is void.
        this.#whole = '';
        this.#iteration = '';
        this.#told = 0;
        return [];
      case 'done':
        return this.#completed();
      case 'error':
        return [{ last: true, fields: { type: 'error', error: objectIn(data)['error'] } }];
      default:
        return [];
    }
  }

  #worker(data: string, id: number, nowMs: number): readonly Utterance[] {
    const event = objectIn(data);
    switch (event['type']) {
      case 'status':
        return this.#details.mode === 'complete' ? [] : [progress({ type: 'status', message: event['message'] })];
      case 'progress':
        return this.#text(typeof event['text'] === 'string' ? event['text'] : '', nowMs);
      case 'tool_use':
        return this.#iterationOver(id);
      case 'complete':
        this.#response = responseIn(data);
        return [];
      default:
        return [];
    }
  }

  #text(text: string, nowMs: number): readonly Utterance[] {
    this.#whole += text;
    this.#iteration += text;
    switch (this.#details.mode) {
      case 'sentence': {
        const sentences = SENTENCES.exec(this.#whole)?.[0] ?? '';
        if (sentences.trimEnd().length <= this.#told) return [];
        return this.#tell(sentences, nowMs);
      }
      case 'periodic':
        if (nowMs - this.#toldAtMs < this.#details.throttle_seconds * 1000) return [];
        return this.#tell(this.#whole, nowMs);
      case 'iteration':
      case 'complete':
        return [];
    }
  }

  #tell(text: string, nowMs: number): readonly Utterance[] {
    this.#told = text.trimEnd().length;
    this.#toldAtMs = nowMs;
    return [progress({ type: 'progress', text })];
  }

  /** The model has said what it does next, and does it. Several tools may be used at once. */
  #iterationOver(id: number): readonly Utterance[] {
    if (id >= this.#keepFrom) return [];
    const text = this.#iteration;
    this.#iteration = '';
    return this.#details.mode === 'iteration' && text ? [progress({ type: 'progress', text })] : [];
  }

  #completed(): readonly Utterance[] {
    const { responses, voice_audio_base64, voice_audio_url, attachments } = this.#response ?? {};
    const said = Array.isArray(responses) ? responses : [];
    if (!said.length) return [];
    const text = (this.#details.mode === 'iteration' ? this.#iteration : this.#whole) || said.join('\n');
    const more = Object.entries({ voice_audio_base64, voice_audio_url, attachments }).filter(
      ([, value]) => value != null,
    );
    return [{ last: true, fields: { type: 'complete', text, ...Object.fromEntries(more) } }];
  }
}

function progress(fields: Utterance['fields']): Utterance {
  return { last: false, fields };
}
