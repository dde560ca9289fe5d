import { type Command, Option } from 'commander';
import { showReply } from './reply.ts';
import { type OfUser, type Session, userOption, wholeNumber } from './session.ts';

/** `tail <message-id>` */
export function addTail(broker: Command, session: Session): void {
  broker
    .command('tail')
    .description('shows what has happened to a message, and follows it to its end')
    .argument('<message-id>')
    .addOption(userOption())
    .addOption(new Option('--after <event-id>', 'begins after this event').argParser(wholeNumber))
    .action((messageId: string, _: unknown, command: Command) =>
      session.run<OfUser & { after?: number }>(command, async ({ client, follower, output, signal }, options) => {
        // Tells at once when there is no broker or no such message.
        await client.message(options.user, messageId, { signal });
        const from = { userId: options.user, messageId, lastEventId: options.after, signal };
        return showReply(follower.stream(from), output);
      }),
    );
}
