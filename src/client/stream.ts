import type { Connection } from './connection.ts';
import { BrokerError, clientFault } from './error.ts';
import { type BrokerEvent, readEvent } from './event.ts';
import { Place } from './place.ts';
import { Retries } from './retries.ts';
import { pause } from './time.ts';

/** What stands between here and the broker may say so of one request among many; to read again costs nothing. */
const PASSING = [408, 425, 429];

/**
 * A message's events to its last one, over as many connections as it takes: none twice, none left out.
 * `path`: of the stream. `after`: id of the last event that is known; 0 for none.
 * `onReconnect`: told what went wrong before each further connection.
 */
export async function* follow(
  connection: Connection,
  patienceMs: number,
  path: string,
  after: number,
  signal: AbortSignal,
  onReconnect?: (fault: BrokerError) => void,
): AsyncGenerator<BrokerEvent, void, undefined> {
  const retries = new Retries(patienceMs, PASSING);
  const place = new Place(after);
  for (;;) {
    let fault = clientFault(0, 'stream_broken', 'The event stream ended before its last event.');
    let openedAt = Infinity;
    try {
      const messages = await connection.open(place.on(path), (ms) => retries.comeBackAfter(ms), signal);
      if (!messages) return place.end();
      place.await();
      openedAt = performance.now();
      for await (const message of messages) {
        const event = readEvent(message);
        if (!place.take(event) || event.type === 'unknown') continue;
        retries.succeeded();
        // What came before it was aborted is told no more.
        signal.throwIfAborted();
        yield event;
        if (event.type === 'done' || event.type === 'error') return;
      }
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      fault = error;
    }
    // An answer alone is no success: a stream that brings nothing would be opened again for ever.
    if (performance.now() - openedAt > connection.idleMs) retries.succeeded();
    const ms = retries.pauseAfter(fault);
    onReconnect?.(fault);
    await pause(ms, signal);
  }
}
