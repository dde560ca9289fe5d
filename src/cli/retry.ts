import type { Command } from 'commander';
import { type OfUser, type Session, userOption } from './session.ts';

/** `retry <message-id>` */
export function addRetry(broker: Command, session: Session): void {
  broker
    .command('retry')
    .description('puts a failed message at the end of its queue again, or makes its callback again')
    .argument('<message-id>')
    .addOption(userOption())
    .option('--callback', 'its callback alone, if that was given up')
    .action((messageId: string, _: unknown, command: Command) =>
      session.run<OfUser & { callback?: true }>(command, async ({ client, output, signal }, { user, callback }) => {
        const retried = await client.retry(user, messageId, { only: callback && 'callback', signal });
        const place = retried.status === 'queued' ? `, position ${retried.queue_position}` : '';
        output.answer(retried, `${retried.message_id} ${retried.status}${place}`);
        return 0;
      }),
    );
}
