import type { LogEvent } from '../store/store.ts';
import { dataIn, textOf } from '../store/text.ts';

/** One event as it goes over the wire. */
export type Frame = {
  /** Event id; 0 for what is told in passing and not stored. */
  readonly id: number;
  /** Empty for the worker's own events. */
  readonly name: string;
  readonly bytes: Buffer;
};

/** A run holds no more characters than that, unless it is one event: about as much as a listener writes at a time. */
const RUN_CHARS = 32_768;
/** Frames end here, and nothing else does. */
const END = '\n\n';
const HEAD = /^(?:id: (\d+)\n)?(?:event: (\w+)\n)?data: /;
/** Longer than any. */
const HEAD_BYTES = 100;

/** Events that follow each other as they go over the wire: encoded once, together, for all listeners. */
export class Run {
  /** How many they are. */
  readonly count: number;
  /** Id of the last of them; 0 for what is told in passing and not stored. */
  readonly last: number;
  /** Nothing follows them. */
  readonly ends: boolean;
  readonly bytes: Buffer;

  constructor(count: number, last: number, ends: boolean, bytes: Buffer) {
    this.count = count;
    this.last = last;
    this.ends = ends;
    this.bytes = bytes;
  }

  /** What of it follows event `id`, which is before its last. */
  after(id: number): Run {
    const count = this.last - id;
    if (count >= this.count) return this;
    const begin = this.bytes.indexOf(`${END}id: ${id + 1}\n`) + END.length;
    return new Run(count, this.last, this.ends, this.bytes.subarray(begin));
  }

  /** Its events one by one. */
  *frames(): Iterable<Frame> {
    for (let at = 0; at < this.bytes.length; ) {
      const end = this.bytes.indexOf(END, at) + END.length;
      const bytes = this.bytes.subarray(at, end);
      const [, id = '0', name = ''] = HEAD.exec(bytes.toString('latin1', 0, HEAD_BYTES)) ?? [];
      yield { id: Number(id), name, bytes };
      at = end;
    }
  }
}

/** Stored events that follow event `after`, as runs. */
export function encode(events: readonly LogEvent[], after: number): Run[] {
  const runs: Run[] = [];
  let text = '';
  let count = 0;
  let last = after;
  const conclude = (ends: boolean) => {
    if (count) runs.push(new Run(count, last, ends, Buffer.from(text)));
    text = '';
    count = 0;
  };
  for (const event of events) {
    const frame = frameOf(event, last + 1);
    if (text.length + frame.length > RUN_CHARS) conclude(false);
    text += frame;
    count += 1;
    last += 1;
    if (event.name === 'done' || event.name === 'error') conclude(true);
  }
  conclude(false);
  return runs;
}

/** What is told in passing, and not stored. */
export function inPassing(event: LogEvent): Run {
  return new Run(1, 0, false, Buffer.from(frameOf(event, 0)));
}

/** The text of a frame. `id`: 0 for what is told in passing. */
export function frameOf(event: LogEvent, id: number): string {
  return id ? `id: ${id}\n${textOf(event)}` : textOf(event);
}

/** The data of a frame: what `encode` was given. */
export function dataOf({ bytes }: Frame): string {
  const text = bytes.toString();
  return dataIn(text.slice(text.indexOf('data: ') + 'data: '.length, -END.length));
}
