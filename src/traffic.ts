import { Durations } from './durations.ts';

/** What has gone through this broker since it started. */
export class Traffic {
  #accepted = 0;
  #ended = 0;
  readonly #queued = new Durations();
  readonly #worked = new Durations();

  /** A message was put into its queue here. */
  accepted(): void {
    this.#accepted += 1;
  }

  /** A message was claimed here for the first time, after so many ms in its queue. */
  claimed(waitedMs: number): void {
    this.#queued.add(waitedMs);
  }

  /** A message that was worked on here has ended; its worker call took so many ms, undefined when none was opened. */
  ended(workedMs: number | undefined): void {
    this.#ended += 1;
    if (workedMs !== undefined) this.#worked.add(workedMs);
  }

  get totals(): { accepted: number; ended: number; queued: number[]; worked: number[] } {
    return {
      accepted: this.#accepted,
      ended: this.#ended,
      queued: this.#queued.counts,
      worked: this.#worked.counts,
    };
  }
}
