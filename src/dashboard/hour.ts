import type { Column, Sample } from './frame.ts';

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

/** The samples of the last hour, one a second: less than 1 MB, however much goes on. */
export class LastHour {
  readonly #columns = FIELDS.map((field) => ({ field, values: [] as (number | null)[] }));

  add(sample: Sample): void {
    for (const { field, values } of this.#columns) {
      values.push(sample[field]);
      if (values.length > MOST_SAMPLES) values.shift();
    }
  }

  /** The oldest sample first. */
  get columns(): readonly Column[] {
    return this.#columns;
  }
}
