import type { Hour, Sample } from './frame.ts';

const FIELDS = [
  'at',
  'in_per_second',
  'out_per_second',
  'waiting',
  'oldest_wait_seconds',
  'queue_p50_seconds',
  'queue_p95_seconds',
  'worker_p50_seconds',
  'worker_p95_seconds',
] as const satisfies readonly (keyof Sample)[];

const MOST_SAMPLES = 3600;

/** The samples of the last hour, one a second: 260 kB, however much goes on. */
export class LastHour {
  readonly #values = new Float64Array(MOST_SAMPLES * FIELDS.length);
  #count = 0;

  add(sample: Sample): void {
    const at = (this.#count % MOST_SAMPLES) * FIELDS.length;
    this.#values.set(
      FIELDS.map((field) => sample[field] ?? Number.NaN),
      at,
    );
    this.#count += 1;
  }

  /** Oldest first. */
  get samples(): Pick<Hour, 'fields' | 'samples'> {
    const kept = Math.min(this.#count, MOST_SAMPLES);
    const samples = Array.from({ length: kept }, (_, index) => {
      const at = ((this.#count - kept + index) % MOST_SAMPLES) * FIELDS.length;
      return Array.from(this.#values.subarray(at, at + FIELDS.length), (value) => (Number.isNaN(value) ? null : value));
    });
    return { fields: FIELDS, samples };
  }
}
