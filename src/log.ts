import { type Level, type Logger, pino } from 'pino';

/** JSON lines in production and in pipes, readable ones in a terminal. */
export function createLog(level: string, terminal = process.stdout.isTTY): Logger {
  const base = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!terminal) return pino(base);
  return pino({ ...base, transport: { target: 'pino-pretty', options: { translateTime: 'SYS:HH:MM:ss.l' } } });
}

/** Writes a line if its level is written. Only then are its fields made: what is dropped costs nothing. */
export function writeLine(
  log: Logger,
  level: Level,
  message: string,
  fields: () => Readonly<Record<string, unknown>>,
): void {
  if (log.isLevelEnabled(level)) log[level](fields(), message);
}
