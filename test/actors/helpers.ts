import { once } from 'node:events';
import type { Settled } from '../../machines/events.ts';
import { Turn } from '../../src/actors/turn.ts';
import type { UserEffects } from '../../src/actors/users.ts';

/** The message was the last in its queue. */
export const SETTLED: Settled = { outcome: { status: 'completed' }, next: undefined, waiting: false };

export function aTurn(queue: string, token = 1): Turn {
  const claim = { queue, messageId: `${queue}-${token}`, token, attempt: 1 };
  return new Turn({ ...claim, payload: '{}', trace: { requestId: 'r' }, last: 1, waitedMs: 0, callback: undefined });
}

/** Never comes to an end by itself; rejects when its state is left. */
export async function untilLeft(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort');
  throw signal.reason;
}

/** Effects of users whose queues are empty, but for what a test gives. */
export function effects(given: Partial<UserEffects> = {}): UserEffects {
  return {
    slotsFree: 10,
    claim: async () => undefined,
    open: async () => ({ type: 'opened' }),
    backOff: (_claim, _delayMs, _reason, signal) => untilLeft(signal),
    relay: async () => SETTLED,
    release: async () => {},
    freeSlot: () => {},
    reportFault: () => {},
    abandon: async () => {},
    ...given,
  };
}

/** A count that can be waited for. */
export class Count {
  #value = 0;
  readonly #waiting = new Set<{ readonly value: number; readonly resolve: () => void }>();

  get value(): number {
    return this.#value;
  }

  add(): number {
    this.#value += 1;
    for (const { value, resolve } of this.#waiting) if (this.#value >= value) resolve();
    return this.#value;
  }

  reaches(value: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add({ value, resolve });
    if (this.#value >= value) resolve();
    return promise;
  }
}
