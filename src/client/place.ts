import { type BrokerError, clientFault } from './error.ts';
import type { BrokerEvent, UnknownEvent } from './event.ts';

/** How far a message's events have been read. */
export class Place {
  /** The broker has answered that more will come. */
  #awaiting = false;
  #last: number;
  #position: number | undefined;

  /** `after`: id of the last event that is known; 0 for none. */
  constructor(after: number) {
    this.#last = after;
  }

  /** Where the events of the stream at `path` go on. */
  on(path: string): string {
    if (!this.#last) return path;
    // Not as a header: to a page of another origin that would cost one more request each time.
    return `${path}${path.includes('?') ? '&' : '?'}last_event_id=${this.#last}`;
  }

  /** Further events will come. */
  await(): void {
    this.#awaiting = true;
  }

  /** No event will come after this place. Throws BrokerError when there should. */
  end(): void {
    if (this.#awaiting) throw this.#cutShort(204);
  }

  /**
   * Moves past an event. False when it tells nothing new; throws BrokerError when one before it is missing, or when it
   * has the id of an earlier one.
   */
  take(event: BrokerEvent | UnknownEvent): boolean {
    const { id, type } = event;
    // The position is told again on each connection.
    if (id === undefined && type === 'queued' && event.queue_position === this.#position) return false;
    if (type === 'queued') this.#position = event.queue_position;
    if (id === undefined) return type !== 'unknown';
    if (id <= this.#last) throw this.#cutShort(200);
    // A retried message begins a new log, which counts on from the old one.
    if (id !== this.#last + 1 && type !== 'queued') {
      const detail = `Event ${id} came after event ${this.#last}: those between are lost. The message itself may be whole; ask for it.`;
      throw clientFault(200, 'stream_broken', detail);
    }
    this.#last = id;
    return type !== 'unknown';
  }

  #cutShort(status: number): BrokerError {
    const detail = `The broker's log of this message ends before event ${this.#last}: it was cut short, by a power loss, say, or that is not an event of it. Ask for the message itself.`;
    return clientFault(status, 'log_cut_short', detail);
  }
}
