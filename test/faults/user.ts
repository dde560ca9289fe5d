import { setTimeout as delay } from 'node:timers/promises';
import { aBody, type Answer as HttpAnswer, NoStream } from '../helpers/client.ts';
import { Dice } from './dice.ts';
import { fieldsOf } from './facts.ts';
import type { Answer } from './history.ts';
import { type Connection, Listener, seen } from './listener.ts';
import { Patience } from './patience.ts';
import type { MessagePlan, UserPlan } from './plan.ts';
import type { Surroundings } from './surroundings.ts';

/** So long a client waits for an answer before it goes to another broker. */
const ANSWER_WITHIN_MS = 1500;

/** Sends its messages one after the other, each until it is accepted, and has them listened to. */
export class User {
  readonly queue: string;
  /** The ids of its messages, as far as it knows them. */
  readonly accepted = new Map<MessagePlan, string>();
  readonly #messages: readonly MessagePlan[];
  readonly #dice: Dice;
  readonly #around: Surroundings;
  readonly #patience: Patience;
  readonly #listening: Promise<void>[] = [];

  constructor({ queue, seed, messages }: UserPlan, around: Surroundings) {
    this.queue = queue;
    this.#messages = messages;
    this.#dice = new Dice(seed);
    this.#around = around;
    this.#patience = new Patience(this.#dice);
  }

  /** Sends all that it has to say. */
  async talk(): Promise<void> {
    for (const message of this.#messages) {
      await delay(message.pauseMs);
      await this.#send(message, message.givesUp);
    }
  }

  /** Sends again what it gave up on, to learn whether it was accepted. */
  async ask(): Promise<void> {
    for (const message of this.#messages) if (!this.accepted.has(message)) await this.#send(message, false);
  }

  /** Resolves when all listeners have what they wanted. */
  async heard(): Promise<void> {
    await Promise.all(this.#listening);
  }

  /** Sends a message once more, to learn what became of it: its status. */
  async statusOf(message: MessagePlan, around: Surroundings): Promise<string> {
    let status: string | undefined;
    while (status === undefined && !around.givenUp.aborted) {
      const { answer, body } = await this.#post(message, around);
      this.#record(message, answer);
      if (answer.type === 'accepted') status = String(body['status']);
      else await this.#patience.wait();
    }
    return status ?? 'unknown';
  }

  async #send(message: MessagePlan, givesUp: boolean): Promise<void> {
    while (!this.#around.givenUp.aborted) {
      const answer = message.streamed
        ? await this.#postStreamed(message)
        : (await this.#post(message, this.#around)).answer;
      this.#record(message, answer);
      if (answer.type === 'accepted') return this.#listen(message, answer.messageId);
      if (answer.type === 'unknown' && givesUp) return;
      await this.#patience.wait();
    }
  }

  #record({ clientMessageId, text, interrupts }: MessagePlan, answer: Answer): void {
    const answeredMs = performance.now();
    this.#around.recording.sendings.push({ queue: this.queue, clientMessageId, text, interrupts, answer, answeredMs });
  }

  /** Asks for something to be cancelled, until there is an answer. */
  async #cancel(afterMs: number, messageId?: string): Promise<void> {
    const { recording, brokers, givenUp } = this.#around;
    const { queue } = this;
    const path = `/api/v1/queue/${queue}${messageId === undefined ? '' : `/messages/${messageId}`}`;
    await delay(afterMs);
    while (!givenUp.aborted) {
      const { client } = this.#dice.pick(brokers);
      // Longer than a broker waits for the end of a call that it breaks off.
      const signal = AbortSignal.any([givenUp, AbortSignal.timeout(5 * ANSWER_WITHIN_MS)]);
      const sentMs = performance.now();
      const answer = await client.request('DELETE', path, { signal }).catch(() => undefined);
      recording.cancellings.push({ queue, messageId, sentMs, answer, answeredMs: performance.now() });
      if (answer && answer.status !== 503) return;
      await this.#patience.wait();
    }
  }

  async #post(
    message: MessagePlan,
    { brokers, givenUp }: Surroundings,
  ): Promise<{ answer: Answer; body: Readonly<Record<string, unknown>> }> {
    const { client } = this.#dice.pick(brokers);
    const signal = AbortSignal.any([givenUp, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    const body = aBody(this.queue, message.text, fieldsFor(message));
    const response = await client.post(body, {}, signal).catch(() => undefined);
    return { answer: answerOf(response), body: response?.body ?? {} };
  }

  /** The answer is the event stream: the first listener goes on with it. */
  async #postStreamed(message: MessagePlan): Promise<Answer> {
    const { client } = this.#dice.pick(this.#around.brokers);
    const leave = new AbortController();
    const signal = AbortSignal.any([this.#around.givenUp, leave.signal]);
    const stream = client.sendAndStream(this.queue, message.text, fieldsFor(message), signal);
    const patience = setTimeout(() => leave.abort(), ANSWER_WITHIN_MS);
    try {
      const { value: first } = await stream.next();
      if (!first) return { type: 'unknown' };
      const event = seen(first);
      const messageId = String(fieldsOf(event)['message_id']);
      this.#follow(
        messageId,
        'the sender',
        { kind: 'stays', seed: this.#dice.seed() },
        { stream, events: [event], leave },
      );
      return { type: 'accepted', messageId, duplicate: undefined };
    } catch (error) {
      if (!(error instanceof NoStream)) return { type: 'unknown' };
      return { type: 'refused', status: error.status, code: String(fieldsOf({ name: '', data: error.body })['code']) };
    } finally {
      clearTimeout(patience);
    }
  }

  #listen(message: MessagePlan, messageId: string): void {
    this.#patience.heard();
    this.accepted.set(message, messageId);
    const { cancelledAfterMs, clears } = message;
    if (cancelledAfterMs !== undefined) this.#listening.push(this.#cancel(cancelledAfterMs, messageId));
    if (clears) this.#listening.push(this.#cancel(0));
    for (const [index, plan] of message.listeners.entries()) this.#follow(messageId, `listener ${index}`, plan);
  }

  #follow(messageId: string, who: string, plan: MessagePlan['listeners'][number], first?: Connection): void {
    const listener = `${who} of ${messageId}`;
    this.#listening.push(new Listener({ listener, queue: this.queue, messageId }, plan, this.#around).run(first));
  }
}

function fieldsFor({ clientMessageId, interrupts }: MessagePlan): Record<string, string> {
  return { client_message_id: clientMessageId, ...(interrupts ? { if_busy: 'interrupt' } : {}) };
}

function answerOf(response: HttpAnswer | undefined): Answer {
  if (!response) return { type: 'unknown' };
  const { status, body } = response;
  if (status !== 200 && status !== 202) return { type: 'refused', status, code: String(body['code']) };
  return { type: 'accepted', messageId: String(body['message_id']), duplicate: body['duplicate'] === true };
}
