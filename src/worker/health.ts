import type { Worker } from './worker.ts';

const WELL_EVERY_MS = 5000;
const ILL_EVERY_MS = 1000;

/** Knows whether the worker answers: asks it now and then, more often while it does not. */
export class WorkerHealth {
  readonly #worker: Worker;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #latest: Promise<boolean>;

  constructor(worker: Worker) {
    this.#worker = worker;
    this.#latest = worker.healthy();
    void this.#latest.then((well) => this.#probeIn(well));
  }

  /** What the newest finished probe found; waits for the first one. */
  connected(): Promise<boolean> {
    return this.#latest;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #probeIn(well: boolean): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#probe(), well ? WELL_EVERY_MS : ILL_EVERY_MS);
  }

  async #probe(): Promise<void> {
    const well = await this.#worker.healthy();
    this.#latest = Promise.resolve(well);
    this.#probeIn(well);
  }
}
