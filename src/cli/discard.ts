import type { Command } from 'commander';
import { type OfUser, type Session, userOption } from './session.ts';

/** `discard <message-id>` */
export function addDiscard(broker: Command, session: Session): void {
  broker
    .command('discard')
    .description('takes a failed message, or a callback that was given up, off the list of what failed')
    .argument('<message-id>')
    .addOption(userOption())
    .option('--callback', 'its callback alone, if that was given up')
    .action((messageId: string, _: unknown, command: Command) =>
      session.run<OfUser & { callback?: true }>(command, async ({ client, output, signal }, { user, callback }) => {
        const discarded = await client.discard(user, messageId, { only: callback && 'callback', signal });
        output.answer(discarded, `${discarded.message_id} discarded`);
        return 0;
      }),
    );
}
