/** Each bound is so many times the one before: all a bucket holds may lie at one of its ends, so a quantile is off by 15 % at most. */
const FACTOR = 1.15;
const LOG_FACTOR = Math.log(FACTOR);
/** Upper bounds of the buckets, in ms: from 1 ms, below which nothing is told apart, to a day. */
const BOUNDS_MS: readonly number[] = Array.from({ length: 132 }, (_, index) => FACTOR ** index);

/** How many buckets a count of durations has: one behind the last bound, too. */
export const BUCKETS = BOUNDS_MS.length + 1;

/** How many durations of which length there were: the same size and cost whatever their number. */
export class Durations {
  readonly #counts: number[] = new Array<number>(BUCKETS).fill(0);

  /** One more, of so many ms. */
  add(ms: number): void {
    // Counted for each message: computed, not looked for.
    const bucket = ms > 1 ? Math.min(Math.ceil(Math.log(ms) / LOG_FACTOR), BUCKETS - 1) : 0;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  /** How many there were in each bucket since the start. Those of several brokers are added up. */
  get counts(): number[] {
    return [...this.#counts];
  }
}

/** The duration in ms that a share `q` of those counted did not exceed; undefined when there are none. */
export function quantile(counts: readonly number[], q: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (!total) return undefined;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (count && below + count >= q * total) {
      const from = BOUNDS_MS[index - 1] ?? 0;
      const to = BOUNDS_MS[index] ?? from;
      return from + ((q * total - below) / count) * (to - from);
    }
    below += count;
  }
  return BOUNDS_MS.at(-1);
}
