import type { LogEvent } from './store.ts';

/**
 * An event as text (https://html.spec.whatwg.org/multipage/server-sent-events.html), without its id. In a row of them it is
 * told where one ends: at the first blank line, for each line of data begins with `data: `.
 */
export function textOf({ name, data }: LogEvent): string {
  const lines = data.includes('\n') ? data.replaceAll('\n', '\ndata: ') : data;
  return name ? `event: ${name}\ndata: ${lines}\n\n` : `data: ${lines}\n\n`;
}

/** The data that the lines after an event's first `data: ` hold. */
export function dataIn(lines: string): string {
  return lines.includes('\n') ? lines.replaceAll('\ndata: ', '\n') : lines;
}
