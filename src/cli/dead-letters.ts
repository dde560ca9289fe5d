import { type Command, Option } from 'commander';
import type { DeadLetter } from '../client/index.ts';
import { type Common, type Session, wholeNumber } from './session.ts';

/** `dead-letters` */
export function addDeadLetters(broker: Command, session: Session): void {
  broker
    .command('dead-letters')
    .description('lists what failed, newest first')
    .addOption(new Option('--limit <n>', 'at most so many, up to 500').default(50).argParser(wholeNumber))
    .option('--cursor <cursor>', 'goes on where the list before ended')
    .action((_: unknown, command: Command) =>
      session.run<Common & { limit: number; cursor?: string }>(
        command,
        async ({ client, output, signal }, { limit, cursor }) => {
          const page = await client.deadLetters({ limit, cursor, signal });
          for (const letter of page.dead_letters) output.answer(letter, ...lines(letter));
          if (page.next_cursor) {
            output.json({ next_cursor: page.next_cursor });
            output.note(`There are more: --cursor ${page.next_cursor}`);
          } else if (!page.dead_letters.length) output.note('Nothing has failed.');
          return 0;
        },
      ),
    );
}

function lines({ kind, message_id, user_id, failed_at, attempts, code, error }: DeadLetter): readonly string[] {
  const what = kind === 'callback' ? 'its callback, ' : '';
  return [`${failed_at}  ${message_id}  ${user_id}`, `  ${what}${code} after ${attempts}: ${error}`];
}
