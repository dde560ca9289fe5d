import { createParser } from 'eventsource-parser';
import { z } from 'zod';
import type { Columns } from './columns.ts';

/** What is shown of an event's data. */
const shown = z.object({ queue_position: z.int(), status: z.string(), type: z.string(), text: z.string() }).partial();

/** Someone who sends several messages at once and reads each reply, as any HTTP client would. */
export class Person {
  readonly #name: string;
  readonly #broker: string;
  readonly #columns: Columns;
  readonly #column: number;

  constructor(name: string, broker: string, columns: Columns, column: number) {
    this.#name = name;
    this.#broker = broker;
    this.#columns = columns;
    this.#column = column;
  }

  /** Sends the messages one right after the other; resolves when the last reply is there. */
  async say(messages: readonly string[]): Promise<void> {
    const replies: Promise<void>[] = [];
    for (const [index, message] of messages.entries()) {
      const { events } = await this.#post(message);
      replies.push(this.#read(`#${index + 1}`, events));
    }
    await Promise.all(replies);
  }

  async #post(message: string): Promise<{ events: ReadableStream<Uint8Array> }> {
    const response = await fetch(`${this.#broker}/api/v1/message`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
      body: JSON.stringify({ user_id: this.#name, org_id: 'demo', client_id: 'demo', message }),
    });
    if (!response.ok || !response.body) throw new Error(`The broker answered ${response.status}.`);
    return { events: response.body };
  }

  async #read(label: string, events: ReadableStream<Uint8Array>): Promise<void> {
    const parser = createParser({
      onEvent: ({ event, data }) => this.#show(label, event, shown.parse(JSON.parse(data))),
    });
    for await (const text of events.pipeThrough(new TextDecoderStream())) parser.feed(text);
  }

  #show(label: string, event: string | undefined, data: z.infer<typeof shown>): void {
    if (event === 'queued') this.#columns.line(this.#column, `${label} queued, position ${data.queue_position}`);
    else if (event === 'processing') this.#columns.line(this.#column, `${label} is answered:`);
    else if (event) this.#columns.line(this.#column, `${label} ${data.status ?? event}`);
    else if (data.type === 'progress') this.#columns.stream(this.#column, data.text ?? '');
  }
}
