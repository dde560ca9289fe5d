import { randomUUID } from 'node:crypto';
import { type Command, Option } from 'commander';
import { type Accepted, BrokerError, type NewMessage } from '../client/index.ts';
import { neverSent } from './network.ts';
import { showEnd, showReply } from './reply.ts';
import { Unanswered } from './sentence.ts';
import { type OfUser, type Session, type Tools, userOption } from './session.ts';

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
      session.run<Sending>(command, async (tools, options) => {
        const { output } = tools;
        const accepted = await deliver(tools, {
          user_id: options.user,
          org_id: options.org,
          client_id: options.client,
          message: text,
          if_busy: options.ifBusy,
          client_message_id: options.clientMessageId ?? randomUUID(),
        });
        output.json({ type: 'accepted', ...accepted });
        const before = accepted.duplicate && options.clientMessageId !== undefined;
        output.note(`Message ${accepted.message_id}${before ? ', accepted before' : ''}.`);
        try {
          return (await showReply(tools, { streamUrl: accepted.stream_url })) ?? showEnd(accepted, output);
        } catch (error) {
          if (error instanceof BrokerError && error.code === 'unknown_message') {
            return showEnd({ ...accepted, error: 'its reply is forgotten.' }, output);
          }
          output.note(`The message goes on. To see its reply: tail ${accepted.message_id} --user ${options.user}`);
          throw error;
        }
      }),
    );
}

/** Sends it; when the answer is lost, once more under the same id. */
async function deliver(
  { client, sender, signal }: Tools,
  message: NewMessage & { readonly client_message_id: string },
): Promise<Accepted> {
  try {
    return await client.send(message, { signal });
  } catch (error) {
    if (!isPassing(error) || neverSent(error)) throw error;
  }
  try {
    return await sender.send(message, { signal });
  } catch (error) {
    throw isPassing(error) ? new Unanswered(error, message.client_message_id) : error;
  }
}

function isPassing(error: unknown): error is BrokerError {
  return error instanceof BrokerError && error.passing;
}
