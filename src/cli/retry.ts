import type { Command } from 'commander';
import { type OfUser, type Session, userOption } from './session.ts';

/** `retry <message-id>` */
export function addRetry(broker: Command, session: Session): void {
  broker
    .command('retry')
    .description('puts a failed message at the end of its queue again')
    .argument('<message-id>')
    .addOption(userOption())
    .action((messageId: string, _: unknown, command: Command) =>
      session.run<OfUser>(command, async ({ client, output, signal }, { user }) => {
        const retried = await client.retry(user, messageId, { signal });
        const place = retried.status === 'queued' ? `, position ${retried.queue_position}` : '';
        output.answer(retried, `${retried.message_id} ${retried.status}${place}`);
        return 0;
      }),
    );
}
