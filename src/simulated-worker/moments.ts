/** The order of what happens in one worker, as numbers of one sequence, and those who wait for something to happen. */
export class Moments {
  #sequence = 0;
  readonly #waiting = new Set<() => void>();
  readonly #failing = new Set<(error: Error) => void>();

  /** The next moment. */
  tick(): number {
    return ++this.#sequence;
  }

  /** Something that others may wait for has changed. */
  changed(): void {
    if (this.#waiting.size > 0) for (const look of [...this.#waiting]) look();
  }

  /** Waits until `probe` gives something; asked again after each change, never by the clock. */
  async until<T>(probe: () => T | undefined): Promise<T> {
    const now = probe();
    if (now !== undefined) return now;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#waiting.delete(look);
        this.#failing.delete(fail);
      };
      const look = (): void => {
        const found = probe();
        if (found === undefined) return;
        stop();
        resolve(found);
      };
      const fail = (error: Error): void => {
        stop();
        reject(error);
      };
      this.#waiting.add(look);
      this.#failing.add(fail);
    });
  }

  /** Nothing will change any more: whoever still waits is told so. */
  close(): void {
    for (const fail of [...this.#failing])
      fail(new Error('The simulated worker was closed while something waited for its calls.'));
  }
}
