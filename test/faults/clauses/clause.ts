import type { Facts } from '../facts.ts';

/** One thing that must hold of every history: says a sentence for each place where it does not. */
export type Clause = (facts: Facts) => Iterable<string>;
