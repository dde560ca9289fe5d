import type { Command } from 'commander';
import { retryAll, told } from './retry-all.ts';
import { UsageFault } from './sentence.ts';
import { type OfUser, type Session, userOption } from './session.ts';

type Retrying = OfUser & { readonly callback?: true; readonly all?: true; readonly code?: string };

/** `retry <message-id>`, `retry --all` */
export function addRetry(broker: Command, session: Session): void {
  broker
    .command('retry')
    .description('puts a failed message at the end of its queue again, or makes its callback again')
    .argument('[message-id]')
    .addOption(userOption())
    .option('--callback', 'its callback alone, if that was given up')
    .option('--all', 'all that failed, of all users unless --user is given here')
    .option('--code <code>', 'with --all: only what failed with this code')
    .action((messageId: string | undefined, _: unknown, command: Command) =>
      session.run<Retrying>(command, async (tools, { user, callback, all, code }) => {
        if (all && messageId === undefined) {
          // Who is logged in, or what the environment says, picks nobody out.
          const only = command.getOptionValueSource('user') === 'cli' ? user : undefined;
          return retryAll(
            tools,
            (letter) =>
              (only === undefined || letter.user_id === only) &&
              (code === undefined || letter.code === code) &&
              (!callback || letter.kind === 'callback'),
          );
        }
        if (all || code !== undefined || messageId === undefined) {
          throw new UsageFault('give either a message id or --all, and --code with --all alone');
        }
        const { client, output, signal } = tools;
        const retried = await client.retry(user, messageId, { only: callback && 'callback', signal });
        output.answer(retried, told(retried));
        return 0;
      }),
    );
}
