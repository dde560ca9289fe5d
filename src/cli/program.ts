import { Command } from 'commander';
import { addCancel } from './cancel.ts';
import { addDeadLetters } from './dead-letters.ts';
import { addDiscard } from './discard.ts';
import { addHealth } from './health.ts';
import { addQueue } from './queue.ts';
import { addRetry } from './retry.ts';
import { addSend } from './send.ts';
import { commonOptions, Session } from './session.ts';
import { version } from './surroundings.ts';
import { addTail } from './tail.ts';

const EXIT_CODES = '\nExit codes: 0 done, 1 the message failed or the broker said no, 2 the command is wrong.';

/** Runs one command; answers the exit code. Throws what stands in its way. */
export async function program(args: readonly string[], signal: AbortSignal): Promise<number> {
  const session = new Session(signal);
  const broker = new Command('bt-servant-message-broker')
    .description('Talks to a message broker.')
    .version(version())
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', EXIT_CODES)
    .exitOverride();
  for (const option of commonOptions()) broker.addOption(option);
  const commands = [addSend, addTail, addQueue, addCancel, addDeadLetters, addRetry, addDiscard, addHealth];
  for (const add of commands) add(broker, session);
  await broker.parseAsync(args, { from: 'user' });
  return session.code;
}
