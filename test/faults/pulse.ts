import { setTimeout as delay } from 'node:timers/promises';

const EVERY_MS = 100;

/**
 * Asks again and again whether somebody is alive, and tells of each time it took longer than `patienceMs` to hear.
 * On a machine with too much to do a broker may be frozen without anybody's will: a history must know that, too.
 */
export class Pulse implements AsyncDisposable {
  readonly #stopped = new AbortController();
  readonly #asking: Promise<void>;

  constructor(ask: () => Promise<unknown>, patienceMs: number, onSilence: (fromMs: number, toMs: number) => void) {
    this.#asking = this.#ask(ask, patienceMs, onSilence);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    await this.#asking;
  }

  async #ask(
    ask: () => Promise<unknown>,
    patienceMs: number,
    onSilence: (fromMs: number, toMs: number) => void,
  ): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const fromMs = performance.now();
      // No answer at all is not silence: the process is gone, and whoever ended it says so.
      const answered = await ask().then(
        () => true,
        () => false,
      );
      const toMs = performance.now();
      if (answered && toMs - fromMs > patienceMs) onSilence(fromMs, toMs);
      await delay(EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }
}
