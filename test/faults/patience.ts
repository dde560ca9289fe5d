import { setTimeout as delay } from 'node:timers/promises';
import type { Dice } from './dice.ts';

const LONGEST = 8;

/** How long a client waits before it tries again: longer each time it was in vain. */
export class Patience {
  readonly #dice: Dice;
  #inVain = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Something was heard: the next wait is short again. */
  heard(): void {
    this.#inVain = 0;
  }

  async wait(): Promise<void> {
    this.#inVain = Math.min(this.#inVain + 1, LONGEST);
    await delay(this.#inVain * this.#dice.number(10, 60));
  }
}
