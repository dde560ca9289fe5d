import { type Command, Option } from 'commander';
import type { NewMessage } from '../client/index.ts';
import { showReply } from './reply.ts';
import { type OfUser, type Session, userOption } from './session.ts';

type Sending = OfUser & {
  readonly org: string;
  readonly client: string;
  readonly ifBusy?: NewMessage['if_busy'];
  readonly clientMessageId?: string;
};

/** `send <text>` */
export function addSend(broker: Command, session: Session): void {
  broker
    .command('send')
    .description('sends a message; shows its place while it waits, then the reply as it streams')
    .argument('<text>')
    .addOption(userOption())
    .addOption(new Option('--org <org>', 'organisation').env('BROKER_ORG').default('unfoldingWord'))
    .addOption(new Option('--client <client>', 'name of this client').default('cli'))
    .addOption(new Option('--if-busy <what>', 'when others wait').choices(['enqueue', 'reject', 'interrupt']))
    .option('--client-message-id <id>', 'sent again with the same one, it is accepted once')
    .action((text: string, _: unknown, command: Command) =>
      session.run<Sending>(command, async ({ client, follower, output, signal }, options) => {
        const message = {
          user_id: options.user,
          org_id: options.org,
          client_id: options.client,
          message: text,
          if_busy: options.ifBusy,
          client_message_id: options.clientMessageId,
        };
        const accepted = await client.send(message, { signal });
        output.json({ type: 'accepted', ...accepted });
        output.note(`Message ${accepted.message_id}${accepted.duplicate ? ', accepted before' : ''}.`);
        try {
          return await showReply(follower.stream({ streamUrl: accepted.stream_url, signal }), output);
        } catch (error) {
          output.note(`The message goes on. To see its reply: tail ${accepted.message_id} --user ${options.user}`);
          throw error;
        }
      }),
    );
}
