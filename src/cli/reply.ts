import type { BrokerEvent, EngineEvent, StreamOptions } from '../client/index.ts';
import type { Output } from './output.ts';
import type { Tools } from './session.ts';

/**
 * Shows a message's events as they come; answers the exit code. Undefined when the last one is not among them: whoever
 * asks has it already.
 */
export async function showReply(
  { follower, output, signal }: Tools,
  which: StreamOptions,
): Promise<number | undefined> {
  const reply = new Reply(output);
  let code: number | undefined;
  for await (const event of follower.stream({ ...which, signal, onReconnect: () => reply.lost() })) {
    output.json(event);
    code = reply.show(event);
  }
  return code;
}

/** Shows how a message ended, of whose events none are left to show; answers the exit code. */
export function showEnd({ status, code, error }: Ending, output: Output): number {
  output.note(`The message is ${status}${code ? ` (${code})` : ''}${error ? `: ${error}` : '.'}`);
  return status === 'completed' ? 0 : 1;
}

type Ending = {
  readonly status: string;
  readonly code?: string | null | undefined;
  readonly error?: string | null | undefined;
};

class Reply {
  readonly #output: Output;
  /** Text of this attempt was shown. */
  #spoken = false;
  /** That the connection is lost has been told. */
  #lost = false;

  constructor(output: Output) {
    this.#output = output;
  }

  lost(): void {
    if (!this.#lost) this.#output.note('The connection is lost; trying again.');
    this.#lost = true;
  }

  /** 1 for the end of a message that did not complete; undefined before the end. */
  show(event: BrokerEvent): number | undefined {
    const output = this.#output;
    this.#lost = false;
    switch (event.type) {
      case 'queued':
        // One that is stored begins the log, of a message that was retried anew.
        if (event.id !== undefined) this.#spoken = false;
        output.note(
          event.queue_position === 1 ? 'Next in the queue.' : `In the queue at position ${event.queue_position}.`,
        );
        return;
      case 'processing':
        return;
      case 'retrying':
        output.note(
          `Attempt ${event.attempt}, ${event.reason}.${this.#spoken ? ' What was said so far is void.' : ''}`,
        );
        this.#spoken = false;
        return;
      case 'worker':
        if (event.engine) this.#say(event.engine);
        return;
      case 'done':
        output.endLine();
        return 0;
      case 'error':
        return showEnd(event, output);
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
