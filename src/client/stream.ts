import type { Connection } from './connection.ts';
import { BrokerError, clientFault } from './error.ts';
import { type BrokerEvent, readEvent } from './event.ts';
import { Place } from './place.ts';
import type { Retries } from './retries.ts';

/**
 * A message's events to its last one, over as many connections as it takes: none twice, none left out.
 * `path`: of the stream. `after`: id of the last event that is known; 0 for none.
 */
export async function* follow(
  connection: Connection,
  retries: Retries,
  path: string,
  after: number,
  signal?: AbortSignal,
): AsyncGenerator<BrokerEvent, void, undefined> {
  const place = new Place(after);
  for (;;) {
    let fault = clientFault(0, 'stream_broken', 'The event stream ended before its last event.');
    try {
      const messages = await connection.open(place.on(path), retries, signal);
      if (!messages) return;
      for await (const message of messages) {
        const event = readEvent(message);
        if (!place.take(event) || event.type === 'unknown') continue;
        yield event;
        if (event.type === 'done' || event.type === 'error') return;
      }
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      fault = error;
    }
    await retries.pause(fault, signal);
  }
}
