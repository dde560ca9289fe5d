import type { LogEvent } from '../store/store.ts';

/** One event as it goes over the wire, encoded once for all listeners. */
export type Frame = {
  /** Event id; 0 for what is told in passing and not stored. */
  readonly id: number;
  /** Nothing follows this one. */
  readonly last: boolean;
  readonly bytes: Buffer;
};

/** A stored event as a frame (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export function encode(event: LogEvent, id: number): Frame {
  const head = id ? `id: ${id}\n` : '';
  const name = event.name ? `event: ${event.name}\n` : '';
  const data = event.data.replaceAll('\n', '\ndata: ');
  return {
    id,
    last: event.name === 'done' || event.name === 'error',
    bytes: Buffer.from(`${head}${name}data: ${data}\n\n`),
  };
}

/** Keeps a connection open through proxies that close idle ones. */
export const COMMENT = Buffer.from(':\n\n');

/** How soon a client should come back, with the opening comment that makes proxies send the headers on. */
export const OPENING = Buffer.from('retry: 1000\n\n');
