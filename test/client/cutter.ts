import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { Dice } from '../faults/dice.ts';

/** An event stream is cut before it has passed on more than this. */
const MOST_BYTES = 1000;
/** So many answers to a message that was sent get lost. */
const LOST_ANSWERS = 3;

/** Passes requests on to a broker, and breaks the connections of its clients in all the ways there are. */
export class Cutter {
  /** Event streams cut so far. */
  cuts = 0;
  /** Answers to a message sent that were lost. */
  lost = 0;
  readonly #broker: string;
  readonly #most: number;
  readonly #dice: Dice;

  /** Cuts `most` event streams, then none. */
  constructor(broker: string, most: number, dice: Dice) {
    this.#broker = broker;
    this.#most = most;
    this.#dice = dice;
  }

  pass(incoming: IncomingMessage, response: ServerResponse): void {
    const cutting = this.cuts < this.#most;
    if (cutting && incoming.method === 'GET' && this.#dice.chance(0.2)) {
      this.#refuse(response);
      return;
    }
    const { method, headers } = incoming;
    const outgoing = request(`${this.#broker}${incoming.url}`, {
      method,
      headers: { ...headers, connection: 'close' },
    });
    outgoing.on('error', () => response.destroy());
    outgoing.on('response', (answer) => {
      if (method === 'POST' && this.lost < LOST_ANSWERS) {
        this.lost += 1;
        answer.resume();
        this.#break(response);
        return;
      }
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      const streamed = answer.headers['content-type']?.startsWith('text/event-stream');
      this.#copy(answer, response, streamed && cutting ? this.#dice.number(1, MOST_BYTES) : Infinity);
    });
    response.once('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  }

  /** At most `budget` bytes of it. */
  #copy(answer: IncomingMessage, response: ServerResponse, budget: number): void {
    let left = budget;
    answer.on('error', () => response.destroy());
    answer.on('end', () => response.end());
    answer.on('data', (bytes: Buffer) => {
      if (left <= 0) return;
      // The broker's second is too long for a hundred of them.
      const sooner = Buffer.from(bytes.toString('latin1').replace('retry: 1000', 'retry: 10'), 'latin1');
      const some = sooner.subarray(0, left);
      left -= sooner.length;
      if (left > 0) response.write(some);
      else {
        this.cuts += 1;
        // What a reset overtakes is lost, and all of it would be.
        response.write(some, () => setTimeout(() => this.#break(response), this.#dice.number(0, 5)));
      }
    });
  }

  #break(response: ServerResponse): void {
    const how = this.#dice.pick(['reset', 'close', 'end']);
    // Some of what was written is lost with a reset; an end in the middle of an event looks as if all were well.
    if (how === 'reset') response.socket?.resetAndDestroy();
    else if (how === 'close') response.destroy();
    else if (response.headersSent) response.end();
    else response.destroy();
  }

  #refuse(response: ServerResponse): void {
    if (this.#dice.chance(0.5)) response.destroy();
    else response.writeHead(503, { 'Retry-After': '0' }).end();
  }
}
