import type { Command } from 'commander';
import type { QueuedMessage } from '../client/index.ts';
import type { Session } from './session.ts';

/** `queue <user>` */
export function addQueue(broker: Command, session: Session): void {
  broker
    .command('queue')
    .description('shows what waits and what is worked on')
    .argument('<user>')
    .action((user: string, _: unknown, command: Command) =>
      session.run(command, async ({ client, output, signal }) => {
        const queue = await client.queue(user, { signal });
        const working = queue.is_processing ? ', one is worked on' : '';
        output.answer(queue, `${queue.user_id}: ${queue.queue_length} waiting${working}`, ...queue.messages.map(line));
        return 0;
      }),
    );
}

function line({ message_id, status, queue_position, queued_at }: QueuedMessage): string {
  const place = status === 'processing' ? 'now' : String(queue_position);
  return `${place.padStart(5)}  ${message_id}  since ${queued_at}`;
}
