import { Writable } from 'node:stream';
import { type Level, pino } from 'pino';

export type Line = Readonly<Record<string, unknown>>;

/** A log of one test's own, and its lines. */
export function aLog(level: Level = 'debug') {
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  const sink = new Writable({
    write: (line, _encoding, written) => {
      lines.push(JSON.parse(String(line)));
      for (const look of waiting) look();
      written();
    },
  });
  return {
    log: pino({ level }, sink),
    lines: lines as readonly Line[],
    /** The first line that is as asked, already written or still to come. */
    line(wanted: (line: Line) => boolean): Promise<Line> {
      return new Promise((resolve) => {
        const look = () => {
          const found = lines.find(wanted);
          if (!found) return;
          waiting.delete(look);
          resolve(found);
        };
        waiting.add(look);
        look();
      });
    },
  };
}
