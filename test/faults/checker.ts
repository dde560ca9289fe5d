import { answersAreKept, attemptsCountUp, noStaleWrite, wholeAnswer } from './clauses/attempts.ts';
import { brokersAreWell } from './clauses/brokers.ts';
import { callsAreOver, noForeignCall, oneCallAtATime, orderOfAcceptance, runsOnce } from './clauses/calls.ts';
import {
  cancelledAsSaid,
  cancelledOnPurpose,
  clearedAsSaid,
  interruptedAsSaid,
  noCallAfterCancelling,
} from './clauses/cancellings.ts';
import type { Clause } from './clauses/clause.ts';
import { endedOnce, nothingAfterTheEnd, nothingLeft } from './clauses/ends.ts';
import { gapless, nobodyLeftWaiting, oneSequence, resumedExactly } from './clauses/listenings.ts';
import { acceptedOnce, clearAnswers, refusedLeavesNothing } from './clauses/sendings.ts';
import { factsOf } from './facts.ts';
import type { History } from './history.ts';

/** Everything that must hold of every history. */
const CLAUSES = {
  brokersAreWell,
  acceptedOnce,
  refusedLeavesNothing,
  clearAnswers,
  endedOnce,
  nothingAfterTheEnd,
  nothingLeft,
  attemptsCountUp,
  noStaleWrite,
  wholeAnswer,
  answersAreKept,
  orderOfAcceptance,
  oneCallAtATime,
  noForeignCall,
  runsOnce,
  callsAreOver,
  cancelledOnPurpose,
  cancelledAsSaid,
  noCallAfterCancelling,
  clearedAsSaid,
  interruptedAsSaid,
  gapless,
  oneSequence,
  resumedExactly,
  nobodyLeftWaiting,
} satisfies Record<string, Clause>;

export type ClauseName = keyof typeof CLAUSES;

/** A place where a clause does not hold. */
export type Violation = { readonly clause: ClauseName; readonly sentence: string };

/** Decides from a history alone whether the broker kept its guarantees; sound histories have no violations. */
export function check(history: History): Violation[] {
  const facts = factsOf(history);
  return NAMES.flatMap((clause) => [...CLAUSES[clause](facts)].map((sentence) => ({ clause, sentence })));
}

function isClauseName(name: string): name is ClauseName {
  return Object.hasOwn(CLAUSES, name);
}

/** The names of all clauses. */
export const NAMES: readonly ClauseName[] = Object.keys(CLAUSES).filter(isClauseName);
