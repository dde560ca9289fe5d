import { type Command, Option } from 'commander';
import { showEnd, showReply } from './reply.ts';
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
      session.run<OfUser & { after?: number }>(command, async (tools, { user, after }) => {
        const { client, output, signal } = tools;
        const state = () => client.message(user, messageId, { signal });
        // Tells at once when there is no broker or no such message.
        await state();
        const code = await showReply(tools, { userId: user, messageId, lastEventId: after });
        if (code !== undefined) return code;
        const end = await state();
        output.json({ type: 'state', ...end });
        return showEnd(end, output);
      }),
    );
}
