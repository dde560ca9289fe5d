import { type Random, seeded } from '../../src/simulated-worker/wire.ts';

/** Chance that comes out the same for the same seed. */
export class Dice {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  /** A whole number from `least` to `most`. */
  number(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  pick<Choice>(choices: readonly [Choice, ...Choice[]]): Choice {
    return choices[this.number(0, choices.length - 1)] ?? choices[0];
  }

  /** Dice of its own for a part of the run, so that what happens elsewhere does not change what it throws. */
  seed(): number {
    return this.number(0, 2 ** 31 - 1);
  }
}
