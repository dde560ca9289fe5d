import { END_STATUSES, type Sweep } from '../store/store.ts';

type Point = { readonly at: number; readonly accepted: number; readonly ended: number };

/** How many messages a second come into the whole store, and end there, by its totals; null as long as that is not known. */
export class Pace {
  #last: Point | undefined;
  #in: number | null = null;
  #out: number | null = null;

  /** Takes in what was found last; `at`: when, in ms of a clock that only goes on. Of a part of the store it would tell nothing. */
  look(found: (Pick<Sweep, 'totals' | 'complete'> & { readonly at: number }) | undefined): void {
    const before = this.#last;
    if (found && found.at === before?.at) return;
    this.#last = found?.complete ? pointOf(found) : undefined;
    this.#in = perSecond(before, this.#last, 'accepted');
    this.#out = perSecond(before, this.#last, 'ended');
  }

  get in(): number | null {
    return this.#in;
  }

  get out(): number | null {
    return this.#out;
  }
}

function pointOf({ totals, at }: Pick<Sweep, 'totals'> & { readonly at: number }): Point {
  return { at, accepted: totals.accepted, ended: END_STATUSES.reduce((sum, status) => sum + totals[status], 0) };
}

/** Fewer than there were are another store's, or one's after a failover. */
function perSecond(before: Point | undefined, now: Point | undefined, of: 'accepted' | 'ended'): number | null {
  if (!before || !now || now[of] < before[of]) return null;
  return ((now[of] - before[of]) * 1000) / (now.at - before.at);
}
