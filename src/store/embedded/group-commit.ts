import { StoreUnavailable } from '../../errors.ts';
import type { Counters } from './counters.ts';
import type { Database } from './database.ts';

/** Somebody who is answered once what he asked for is in the file. */
type Asked = {
  /** Does it, and sets the answer. Throws what it throws. */
  readonly attempt: () => void;
  answer: () => void;
  readonly refuse: (error: unknown) => void;
};

/**
 * All changes that are asked for in one turn of the event loop are one transaction, committed at the end of that turn:
 * a commit costs more than a change. Nobody is answered or told of anything before it is committed.
 */
export class GroupCommit {
  readonly #db: Database;
  readonly #counters: Counters;
  /** Called when changes were undone: what is remembered of the file may be wrong. */
  readonly #undone: () => void;
  #asked: Asked[] = [];
  #news: (() => void)[] = [];
  #commit: NodeJS.Immediate | undefined;
  /** What was to be written last could not be: until it can, each commit tries, so that the sweeps tell. */
  #isFull = false;
  /** The last commit took room to see whether it is there. */
  #isFilled = false;

  constructor(db: Database, counters: Counters, undone: () => void) {
    this.#db = db;
    this.#counters = counters;
    this.#undone = undone;
  }

  /** Does all of the work or, when it throws, none of it. Resolves once it is committed. Throws StoreUnavailable. */
  change<Result>(work: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => this.#do(this.#askedFor(work, resolve, reject)));
  }

  /** Asks something. What it owes to changes not yet committed is told only once they are. Throws StoreUnavailable. */
  read<Answer>(work: () => Answer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#commit) this.#do(this.#askedFor(work, resolve, reject));
      else resolve(this.#db.ask(work));
    });
  }

  /** To be called by a change: `news` is told once it is committed. */
  tell(news: () => void): void {
    this.#news.push(news);
  }

  /** Commits what is under way. */
  flush(): void {
    if (!this.#commit) return;
    try {
      this.#counters.write();
      if (this.#isFull) this.#db.fill();
      else if (this.#isFilled) this.#db.clear();
      this.#db.commit();
      this.#isFilled = this.#isFull;
      this.#isFull = false;
    } catch (error) {
      this.#refuse(error);
      return;
    }
    this.#counters.concluded(true);
    const { asked, news } = this.#conclude();
    queueMicrotask(() => {
      for (const tell of news) tell();
    });
    for (const { answer } of asked) answer();
  }

  #askedFor<Result>(work: () => Result, resolve: (result: Result) => void, refuse: (error: unknown) => void): Asked {
    const asked: Asked = {
      attempt: () => {
        const result = this.#db.ask(work);
        asked.answer = () => resolve(result);
      },
      answer: () => {},
      refuse,
    };
    return asked;
  }

  #do(asked: Asked): void {
    try {
      this.#begin();
    } catch (error) {
      asked.refuse(error);
      return;
    }
    const { written } = this.#db;
    const counted = this.#counters.values;
    const told = this.#news.length;
    this.#asked.push(asked);
    try {
      asked.attempt();
    } catch (error) {
      asked.answer = () => asked.refuse(error);
      this.#counters.comeBackTo(counted);
      this.#news.length = told;
      this.#undone();
      const isHalfDone = this.#db.written !== written;
      if (!this.#db.inTransaction || (isHalfDone && error instanceof StoreUnavailable)) this.#refuse(error);
      else if (isHalfDone) this.#doWithout(asked);
    }
  }

  #begin(): void {
    if (this.#commit) return;
    this.#db.begin();
    this.#commit = setImmediate(() => this.flush());
  }

  /** One broke off in the middle: all is undone, and the others are done again. */
  #doWithout(broken: Asked): void {
    const asked = this.#undo();
    broken.answer();
    for (const other of asked) if (other !== broken) this.#do(other);
  }

  /** Nothing of what was asked for has happened. */
  #refuse(error: unknown): void {
    this.#isFull = true;
    const unavailable = error instanceof StoreUnavailable ? error : new StoreUnavailable(error);
    for (const { refuse } of this.#undo()) refuse(unavailable);
  }

  #undo(): readonly Asked[] {
    this.#db.rollback();
    this.#counters.concluded(false);
    this.#undone();
    return this.#conclude().asked;
  }

  #conclude() {
    clearImmediate(this.#commit);
    const done = { asked: this.#asked, news: this.#news };
    this.#asked = [];
    this.#news = [];
    this.#commit = undefined;
    return done;
  }
}
