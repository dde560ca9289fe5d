import type { Command } from 'commander';
import type { Session } from './session.ts';

/** `health` */
export function addHealth(broker: Command, session: Session): void {
  broker
    .command('health')
    .description('tells how the broker, its store and the engine are')
    .action((_: unknown, command: Command) =>
      session.run(command, async ({ client, output, signal }) => {
        const health = await client.health({ signal });
        const { status, store, version, messages_waiting, messages_processing } = health;
        const engine = health.worker_connected ? 'answers' : 'does not answer';
        const counts = `${messages_waiting ?? '?'} waiting, ${messages_processing ?? '?'} worked on`;
        output.answer(health, `${status}: the engine ${engine}, store ${store}, ${counts}, version ${version}`);
        if (status !== 'unhealthy') return 0;
        output.note('The store of the broker does not answer.');
        return 1;
      }),
    );
}
