import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { StoreUnavailable } from '../errors.ts';

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2000;

/** Repeats a store call until the store answers: what the world has done must not be lost to an outage of the store. */
export async function persist<Result>(call: () => Promise<Result>, signal: AbortSignal, log: Logger): Promise<Result> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      log.debug({ err: error, again_in_ms: waitMs }, 'the store does not answer');
      await delay(waitMs, undefined, { signal });
    }
  }
}
