import type { Worker } from './worker.ts';

const EVERY_MS = 5000;

/** Knows whether the worker answers, asking it now and then. */
export class WorkerHealth {
  readonly #worker: Worker;
  readonly #timer: NodeJS.Timeout;
  #latest: Promise<boolean>;

  constructor(worker: Worker) {
    this.#worker = worker;
    this.#latest = worker.healthy();
    this.#timer = setInterval(() => this.#probe(), EVERY_MS);
  }

  /** What the newest finished probe found. */
  connected(): Promise<boolean> {
    return this.#latest;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #probe(): void {
    const probe = this.#worker.healthy();
    void probe.then(() => {
      this.#latest = probe;
    });
  }
}
