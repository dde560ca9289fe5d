/** What the store is asked again and again, once at a time. What it answered last stays known while it does not answer. */
export class Question<Answer> {
  readonly #pose: () => Promise<Answer>;
  readonly #onFailure: (error: unknown) => void;
  #asking: Promise<void> | undefined;
  #known: { readonly answer: Answer; readonly at: number } | undefined;
  #failed = false;

  constructor(pose: () => Promise<Answer>, onFailure: (error: unknown) => void) {
    this.#pose = pose;
    this.#onFailure = onFailure;
  }

  /** Asks, unless that is under way. Resolves when it is answered, or has failed. */
  ask(): Promise<void> {
    this.#asking ??= this.#once().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** What was answered last, and when, in ms since 1970; `stale` when it has been asked since without an answer. */
  get last(): { readonly answer: Answer; readonly at: number; readonly stale: boolean } | undefined {
    return this.#known && { ...this.#known, stale: this.#failed || this.#asking !== undefined };
  }

  /** What was answered is not known any more. */
  forget(): void {
    this.#known = undefined;
  }

  async #once(): Promise<void> {
    try {
      this.#known = { answer: await this.#pose(), at: Date.now() };
      this.#failed = false;
    } catch (error) {
      this.#failed = true;
      this.#onFailure(error);
    }
  }
}
