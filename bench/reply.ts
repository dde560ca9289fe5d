const PROGRESS = '{"type":"progress","text":"';
const COMPLETE = '{"type":"complete",';
const ANY = '{"type":';

/** The worker's events of one message, as they come to a reader: each is to come once, in order, and `complete` as the last. */
export class Reply {
  #events = 0;
  #complete = false;

  /** The data of an event. What does not come from the worker is passed over. */
  take(data: string): void {
    if (!data.startsWith(ANY)) return;
    this.#events += 1;
    if (this.#complete) throw new Error(`after the last event came ${data}`);
    if (data.startsWith(COMPLETE)) this.#complete = true;
    else if (!data.startsWith(`${PROGRESS}${this.#events} `))
      throw new Error(`in the place of event ${this.#events} came ${data}`);
  }

  /** Throws unless so many have come. */
  mustBe(events: number): void {
    if (!this.#complete || this.#events !== events)
      throw new Error(
        `${this.#events} events of the worker came of ${events}, ${this.#complete ? 'the' : 'no'} last one`,
      );
  }
}
