/** An actor, as far as it is followed. */
type Followed = {
  subscribe(observer: {
    next: (snapshot: { value: string }) => void;
    complete: () => void;
    error: (error: unknown) => void;
  }): unknown;
};

/**
 * How many of a broker's actors are in which state. Counted as they move from one to the next, so that it costs the same
 * to ask whatever their number.
 */
export class StateCounts {
  readonly #counts = new Map<string, number>();

  /** Counts an actor until it has gone. To be called before it is started. `onBroken`: told what broke it. */
  follow(actor: Followed, onBroken: (error: unknown) => void = () => {}): void {
    let state: string | undefined;
    const move = (to: string | undefined) => {
      if (to === state) return;
      if (state !== undefined) this.#add(state, -1);
      if (to !== undefined) this.#add(to, 1);
      state = to;
    };
    actor.subscribe({
      next: ({ value }) => move(value),
      complete: () => move(undefined),
      error: (error) => {
        move(undefined);
        onBroken(error);
      },
    });
  }

  /** By the names of the states; those that nobody is in may be missing. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  #add(state: string, by: number): void {
    this.#counts.set(state, (this.#counts.get(state) ?? 0) + by);
  }
}
