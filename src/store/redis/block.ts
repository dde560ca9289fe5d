import { type LogEvent, PAGE_BYTES } from '../store.ts';
import { dataIn, textOf } from '../text.ts';

/** Events that follow each other in a log, as they are stored: one text. */
export type Block = {
  /** Id of the last of them. */
  readonly last: number;
  readonly text: string;
};

/** So many events, or characters, go into one block: whoever reads on from the middle of it has to read all of it. */
const BLOCK_EVENTS = 100;
const BLOCK_CHARS = 65_536;

/** The blocks to be written for events that follow event `after`. */
export function blocksOf(events: readonly LogEvent[], after: number): Block[] {
  const blocks: Block[] = [];
  let text = '';
  let first = 0;
  for (const [index, event] of events.entries()) {
    text += textOf(event);
    const end = index + 1;
    if (end - first < BLOCK_EVENTS && text.length < BLOCK_CHARS && end < events.length) continue;
    blocks.push({ last: after + end, text });
    text = '';
    first = end;
  }
  return blocks;
}

/** The events after event `after` in the blocks that hold it and those that follow: at most `limit`, and no more once they are large. */
export function eventsIn(blocks: Iterable<Block>, after: number, limit: number): LogEvent[] {
  const events: LogEvent[] = [];
  let chars = 0;
  for (const { last, text } of blocks) {
    const wanted = last - after - events.length;
    events.push(...eventsOf(text).slice(-wanted));
    chars += text.length;
    if (events.length >= limit || chars >= PAGE_BYTES) break;
  }
  return events.slice(0, limit);
}

function eventsOf(text: string): LogEvent[] {
  const events: LogEvent[] = [];
  for (let at = 0; at < text.length; ) {
    const isNamed = text.startsWith('event: ', at);
    const line = isNamed ? text.indexOf('\n', at) + 1 : at;
    const name = isNamed ? text.slice(at + 'event: '.length, line - 1) : '';
    const end = text.indexOf('\n\n', line);
    events.push({ name, data: dataIn(text.slice(line + 'data: '.length, end)) });
    at = end + 2;
  }
  return events;
}
