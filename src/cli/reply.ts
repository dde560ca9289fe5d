import type { BrokerEvent, EngineEvent } from '../client/index.ts';
import type { Output } from './output.ts';

/** Shows a message's events as they come; answers the exit code. */
export async function showReply(events: AsyncIterable<BrokerEvent>, output: Output): Promise<number> {
  const reply = new Reply(output);
  let code = 0;
  for await (const event of events) {
    output.json(event);
    code = reply.show(event);
  }
  return code;
}

class Reply {
  readonly #output: Output;
  /** Text of this attempt was shown. */
  #spoken = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** 1 for the end of a message that did not complete. */
  show(event: BrokerEvent): number {
    const output = this.#output;
    switch (event.type) {
      case 'queued':
        output.note(
          event.queue_position === 1 ? 'Next in the queue.' : `In the queue at position ${event.queue_position}.`,
        );
        return 0;
      case 'processing':
        return 0;
      case 'retrying':
        output.note(
          `Attempt ${event.attempt}, ${event.reason}.${this.#spoken ? ' What was said so far is void.' : ''}`,
        );
        this.#spoken = false;
        return 0;
      case 'worker':
        if (event.engine) this.#say(event.engine);
        return 0;
      case 'done':
        output.endLine();
        return 0;
      case 'error':
        output.aside(`The message is ${event.status} (${event.code}): ${event.error}`);
        return 1;
    }
  }

  #say(event: EngineEvent): void {
    if (event.type === 'progress') {
      this.#output.text(event.text);
      this.#spoken ||= event.text !== '';
    }
    if (event.type !== 'complete') return;
    const { responses, voice_audio_url } = event.response;
    // An engine that streams no text tells all of it at the end.
    if (!this.#spoken && Array.isArray(responses)) this.#output.text(responses.join('\n\n'));
    if (typeof voice_audio_url === 'string' && voice_audio_url) this.#output.note(`Spoken: ${voice_audio_url}`);
  }
}
