import type { ServerResponse } from 'node:http';

/** A dashboard that takes nothing for so many frames is let go. It comes back by itself. */
const MOST_MISSED = 10;

/** The open dashboards. All are written the same bytes; one that does not keep up misses frames, and costs no buffer. */
export class Audience {
  readonly #missed = new Map<ServerResponse, number>();

  get size(): number {
    return this.#missed.size;
  }

  /** Opens the response as a stream of events, until it is closed by either side. */
  join(response: ServerResponse, first: string): void {
    this.#missed.set(response, 0);
    const leave = () => this.#missed.delete(response);
    response.once('close', leave);
    response.on('error', leave);
    if (response.destroyed) leave();
    else response.write(first);
  }

  send(frame: string): void {
    const bytes = Buffer.from(frame);
    for (const [response, missed] of this.#missed) {
      if (!response.writableNeedDrain) {
        this.#missed.set(response, 0);
        response.write(bytes);
      } else if (missed < MOST_MISSED) this.#missed.set(response, missed + 1);
      else response.destroy();
    }
  }

  close(): void {
    for (const response of [...this.#missed.keys()]) response.end();
  }
}
