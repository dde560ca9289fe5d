#!/usr/bin/env node
/** The command line of the broker: `bt-servant-message-broker`, in the checkout `npm run cli --`. */
import { CommanderError } from 'commander';
import { program } from './program.ts';
import { sentence } from './sentence.ts';

/** As a shell counts what was ended by Ctrl-C. */
const INTERRUPTED = 130;
const TERMINATED = 143;

const leave = new AbortController();
// Not once: a terminal and npm both send it, and the second would cut off what is said in leaving.
process.on('SIGINT', () => leave.abort(INTERRUPTED));
process.on('SIGTERM', () => leave.abort(TERMINATED));
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read this reads no more, as `head` does after its lines.
  if (error.code === 'EPIPE') return leave.abort(0);
  if (process.exitCode !== 1) process.stderr.write(`The output cannot be written (${error.code ?? error.message}).\n`);
  process.exitCode = 1;
  leave.abort(1);
});

try {
  const code = await program(process.argv.slice(2), leave.signal);
  process.exitCode ??= code;
} catch (error) {
  if (leave.signal.aborted) process.exitCode ??= Number(leave.signal.reason);
  // Commander has already said what is wrong, or what was asked for.
  else if (error instanceof CommanderError) process.exitCode ??= error.exitCode && 2;
  else {
    process.stderr.write(`${sentence(error)}\n`);
    process.exitCode ??= 1;
  }
}
