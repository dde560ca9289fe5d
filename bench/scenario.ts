import type { Child } from './child.ts';
import type { Contender, Start } from './contenders.ts';

/** What one run came to, by the figure's name. */
export type Figures = Readonly<Record<string, number>>;

/** Measures one contender that has just been started. `scale`: 1 for a whole run, less for a quick one. */
export type Run = (contender: Contender, worker: Child, scale: number) => Promise<Figures>;

/** One thing that is measured, of each entry in turn. */
export type Scenario = {
  readonly name: string;
  readonly title: string;
  /** What is to be reached. */
  readonly target: string;
  readonly entries: readonly { readonly name: string; readonly start: Start; readonly run: Run }[];
  /** The figures that are compared, how, and the entry that the others' are compared with. */
  readonly compared?: {
    readonly figures: readonly string[];
    readonly how: 'ratio' | 'difference';
    readonly with: string;
  };
};

/** Entries that are measured in the same way, by the names of what is started. */
export function each(starts: Readonly<Record<string, Start>>, run: Run): Scenario['entries'] {
  return Object.entries(starts).map(([name, start]) => ({ name, start, run }));
}
