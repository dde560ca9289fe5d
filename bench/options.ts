import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What the bench is asked for. */
export type Options = {
  readonly quick: boolean;
  /** Names of scenarios; undefined: as many as there are. */
  readonly only: readonly string[] | undefined;
  /** A part of the names of the entries that are measured; empty: of all. */
  readonly of: string;
  readonly rounds: number;
  /** Where profiles are written. */
  readonly profiles: string | undefined;
};

const MAIN_PARTS = ['accept', 'whole', 'latency', 'relay'];
const KNOWN = 'Known are --quick, --only, --rounds, --of and --cpu-prof (docs/performance.md).';

/** The options of the command line. Ends the process when they cannot be used. */
export function optionsOf(args: readonly string[]): Options {
  const { quick, only, of, rounds, 'cpu-prof': profiles } = parsed(args);
  const count = Number(rounds ?? (quick ? 1 : 5));
  if (!Number.isInteger(count) || count < 1) refuse(`--rounds takes a positive whole number, not '${rounds}'.`);
  return {
    quick,
    only: only?.split(',') ?? (quick ? MAIN_PARTS : undefined),
    of,
    rounds: count,
    profiles: profiles === undefined ? undefined : resolve(profiles),
  };
}

/** Says what is wrong with the command line, and ends the process. */
export function refuse(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        of: { type: 'string', default: '' },
        rounds: { type: 'string' },
        'cpu-prof': { type: 'string' },
      },
    }).values;
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : String(error)}. ${KNOWN}`);
  }
}
