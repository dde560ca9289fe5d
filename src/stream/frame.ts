import type { LogEvent } from '../store/store.ts';

/** One event as it goes over the wire, encoded once for all listeners. */
export type Frame = {
  /** Event id; 0 for what is told in passing and not stored. */
  readonly id: number;
  /** Nothing follows this one. */
  readonly last: boolean;
  /** Empty for the worker's own events. */
  readonly name: string;
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
    name: event.name,
    bytes: Buffer.from(`${head}${name}data: ${data}\n\n`),
  };
}

/** The data of a frame: what `encode` was given. */
export function dataOf({ bytes }: Frame): string {
  const text = bytes.toString();
  return text.slice(text.indexOf('data: ') + 'data: '.length, -2).replaceAll('\ndata: ', '\n');
}
