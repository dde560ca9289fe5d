import type { CallbackOrder } from './order.ts';
import type { TurnEvent } from './reply.ts';
import type { ChatRequest } from './request.ts';

/** Up to the end of the last whole sentence, with the space behind it. */
const SENTENCES = /^[^]*[.!?](?:\s+|$)/;

/** Makes out of the events of one turn what its callback URL is told. */
export class Callbacks {
  readonly #mode: CallbackOrder['mode'];
  readonly #say: (fields: object) => void;
  /** All of the text so far. */
  #whole = '';
  /** As much of it as the last progress callback carried. */
  #told = '';
  /** Where the text of the present iteration begins. */
  #from = 0;

  constructor({ user_id }: ChatRequest, order: CallbackOrder, post: (body: Record<string, unknown>) => void) {
    const { message_key, chat_id, thread_id } = order;
    this.#mode = order.mode;
    this.#say = (fields) =>
      post({
        ...fields,
        user_id,
        message_key,
        timestamp: new Date().toISOString(),
        ...(chat_id !== '' && { chat_id }),
        ...(thread_id !== '' && { thread_id }),
      });
  }

  take(event: TurnEvent): void {
    switch (event.type) {
      case 'status':
        if (this.#mode !== 'complete') this.#say({ type: 'status', message: event.message });
        return;
      case 'progress':
        this.#whole += event.text;
        if (this.#mode === 'sentence') this.#tell(SENTENCES.exec(this.#whole)?.[0] ?? '');
        return;
      case 'tool_use':
        if (this.#mode === 'iteration') this.#endIteration();
        return;
      case 'tool_result':
        return;
      case 'complete': {
        if (event.response.responses.length === 0) return;
        const text = this.#mode === 'iteration' ? this.#whole.slice(this.#from) : this.#whole;
        const { voice_audio_url } = event.response;
        this.#say({ type: 'complete', text, ...(voice_audio_url !== null && { voice_audio_url }) });
        return;
      }
      case 'error':
        this.#say({ type: 'error', error: event.error });
    }
  }

  /** The time between two callbacks of the mode `periodic` is over. */
  tick(): void {
    this.#tell(this.#whole);
  }

  /** All the text up to here, unless nothing but space has come since the last time. */
  #tell(text: string): void {
    if (text.trimEnd().length <= this.#told.trimEnd().length) return;
    this.#told = text;
    this.#say({ type: 'progress', text });
  }

  #endIteration(): void {
    const text = this.#whole.slice(this.#from);
    this.#from = this.#whole.length;
    if (text.trim() !== '') this.#say({ type: 'progress', text });
  }
}
