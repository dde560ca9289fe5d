import type { Command } from 'commander';
import { UsageFault } from './sentence.ts';
import { type OfUser, type Session, userOption } from './session.ts';

/** `cancel <message-id>`, `cancel --waiting` */
export function addCancel(broker: Command, session: Session): void {
  broker
    .command('cancel')
    .description('cancels a message, or all that wait')
    .argument('[message-id]')
    .addOption(userOption())
    .option('--waiting', 'all that wait; the one that is worked on goes on')
    .action((messageId: string | undefined, _: unknown, command: Command) =>
      session.run<OfUser & { waiting?: true }>(command, async ({ client, output, signal }, { user, waiting }) => {
        if (messageId !== undefined && !waiting) {
          const cancelled = await client.cancel(user, messageId, { signal });
          output.answer(cancelled, `${cancelled.message_id} ${cancelled.status}`);
        } else if (messageId === undefined && waiting) {
          const cleared = await client.clear(user, { signal });
          output.answer(cleared, `${cleared.user_id}: ${cleared.cancelled} cancelled`);
        } else throw new UsageFault('give either a message id or --waiting');
        return 0;
      }),
    );
}
