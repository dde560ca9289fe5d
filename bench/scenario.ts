import type { Child } from './child.ts';
import type { Contender, Start } from './contenders.ts';

/** What one run of one contender came to, by the figure's name. */
export type Figures = Readonly<Record<string, number>>;

export type Surroundings = {
  /** 1 for a whole run; less for a quick one. */
  readonly scale: number;
};

/** One thing that is measured, of each contender in turn. */
export type Scenario = {
  readonly name: string;
  readonly title: string;
  readonly contenders: readonly Start[];
  /** The contender that the others' ratios are to. */
  readonly baseline: string;
  /** The figures it tells, and whether more of it is better or less. */
  readonly figures: Readonly<Record<string, 'more' | 'less'>>;
  readonly run: (contender: Contender, worker: Child, surroundings: Surroundings) => Promise<Figures>;
};
