import type { Tidings } from '../../machines/events.ts';
import { hasEnded } from '../store/events.ts';
import { resultOf } from '../store/result.ts';
import type { MessageState, Store } from '../store/store.ts';
import type { Feed } from '../stream/feed.ts';
import type { Hub } from '../stream/hub.ts';
import type { Delivery, Told } from './delivery.ts';
import type { Details, EngineDetails } from './details.ts';
import { Voice } from './voice.ts';

const PAGE_EVENTS = 500;
const SILENT: Tidings = { type: 'silent' };

/** Finds out what is to be told of a message: its result, or what the engine itself would tell while it works. */
export class Composer {
  readonly #store: Store;
  readonly #hub: Hub;
  /** The worker's answer as clients are to see it. */
  readonly #rewrite: (response: Record<string, unknown>) => Record<string, unknown>;

  constructor(parts: {
    store: Store;
    hub: Hub;
    rewrite: (response: Record<string, unknown>) => Record<string, unknown>;
  }) {
    this.#store = parts.store;
    this.#hub = parts.hub;
    this.#rewrite = parts.rewrite;
  }

  /** What is to be told next; waits for it. Throws StoreUnavailable, and what `signal` aborts with. */
  compose(delivery: Delivery, signal: AbortSignal): Promise<Tidings> {
    const { details } = delivery;
    return details.kind === 'result' ? this.#result(delivery, details) : this.#next(delivery, details, signal);
  }

  /** The endpoint has taken what is being told, or not: then nothing is told any more before the end, whose `complete` holds the texts. */
  told(delivery: Delivery, accepted: boolean): void {
    const { telling, checkpoint } = delivery;
    delivery.checkpoint = accepted ? { ...checkpoint, told: telling } : { ...checkpoint, untold: telling };
    if (accepted) return;
    delivery.voice = undefined;
    delivery.utterances = [];
    delivery.heard = 0;
  }

  /** The delivery is over, or somebody else's. */
  leave(delivery: Delivery): void {
    if (delivery.feed) this.#hub.leave(delivery.feed);
    delivery.feed = undefined;
  }

  async #follow(delivery: Delivery, signal: AbortSignal): Promise<Feed> {
    const feed = await this.#hub.join(delivery.queue, delivery.messageId);
    if (signal.aborted) this.#hub.leave(feed);
    signal.throwIfAborted();
    delivery.feed = feed;
    return feed;
  }

  async #result({ queue, messageId }: Delivery, details: Extract<Details, { kind: 'result' }>): Promise<Tidings> {
    const state = await this.#store.message(queue, messageId);
    if (!state || !hasEnded(state.status)) return SILENT;
    const { user_id, client_message_id } = details;
    const fields = {
      message_id: messageId,
      user_id,
      client_message_id,
      ...(state.status === 'completed'
        ? { status: 'completed', ...(await this.#answer(queue, state)) }
        : { status: 'error', code: state.failure?.code, error: state.failure?.error }),
    };
    return { type: 'end', body: JSON.stringify(fields), id: idOf(messageId, state.last) };
  }

  async #answer(queue: string, state: MessageState) {
    const response = this.#rewrite((await resultOf(this.#store, queue, state)) ?? {});
    const { responses = [], response_language = null, voice_audio_base64 = null, voice_audio_url = null } = response;
    return {
      responses,
      response_language,
      voice_audio_base64,
      voice_audio_url,
      attachments: response['attachments'] ?? [],
    };
  }

  /** Follows the message until there is something to tell. */
  async #next(delivery: Delivery, details: EngineDetails, signal: AbortSignal): Promise<Tidings> {
    if (!delivery.utterances.length) await this.#listen(delivery, details, signal);
    const [next, ...rest] = delivery.utterances;
    delivery.utterances = rest;
    if (!next) return SILENT;
    delivery.telling = next.at;
    const { user_id, message_key, chat_id, thread_id } = details;
    const told = this.#rewrite({ ...next.fields });
    const timestamp = new Date().toISOString();
    const body = JSON.stringify({ ...told, user_id, message_key, timestamp, chat_id, thread_id });
    if (!next.last) return { type: 'progress', body };
    return { type: 'end', body, id: idOf(delivery.messageId, delivery.heard) };
  }

  /** Resolves when there is something to tell, or the message has ended without. */
  async #listen(delivery: Delivery, details: EngineDetails, signal: AbortSignal): Promise<void> {
    const feed = delivery.feed ?? (await this.#follow(delivery, signal));
    const { told, untold } = delivery.checkpoint;
    delivery.voice ??= new Voice(details, Date.now(), untold || Infinity);
    const { voice } = delivery;
    while (!delivery.utterances.length) {
      const { version } = feed;
      const page = await feed.read(delivery.heard, PAGE_EVENTS);
      if (!page) return;
      const utterances: Told[] = [];
      for (const [index, event] of page.events.entries()) {
        const at = page.after + 1 + index;
        const quiet = untold > 0 || at <= told;
        const said = voice.hear(event, at, Date.now()).filter(({ last }) => last || !quiet);
        utterances.push(...said.map((utterance) => ({ ...utterance, at })));
      }
      delivery.heard = page.after + page.events.length;
      delivery.utterances = utterances;
      if (page.events.length) continue;
      if (hasEnded(page.status) || feed.closed) return;
      await feed.news(version, signal);
      signal.throwIfAborted();
    }
  }
}

/** Names one end of a message: the same each time it is told, another one when the message was retried. */
function idOf(messageId: string, last: number): string {
  return `${messageId}.${last}`;
}
