import { execFileSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { aMessage, settingsOf } from './contract/kit.ts';

/**
 * Puts messages of so many characters into an embedded store, so many in each turn of the event loop, and writes a line for
 * each answer. `accepted`: it is gone, as by `kill -9`, with the first answer. `refused`: it goes on until the file can grow
 * no more, writes that a sweep says so, what the store counts once
 * the file can grow again, and the answer to one more message once the file can grow again.
 */
const [directory = '', atOnce = '', chars = '', until = ''] = process.argv.slice(2);
const store = new EmbeddedStore(directory, settingsOf({ maxQueueLength: 10_000 }));
let refused = false;

async function send(): Promise<void> {
  const message = aMessage('u', { payload: 'x'.repeat(Number(chars)) });
  const answer = await store.enqueue(message).then(
    ({ type }) => type,
    (error: Error) => error.name,
  );
  writeSync(1, `${answer} ${message.id}\n`);
  refused ||= answer !== 'queued';
  if (until === 'accepted') process.kill(process.pid, 'SIGKILL');
}

while (!refused) await Promise.all(Array.from({ length: Number(atOnce) }, send));
const sweep = await store.sweep(0).then(
  () => 'well',
  ({ name }: Error) => name,
);
writeSync(1, `sweep ${sweep}\n`);
execFileSync('prlimit', ['--pid', `${process.pid}`, '--fsize=unlimited:']);
const { counts, totals } = await store.sweep(0);
writeSync(1, `waiting ${counts.waiting}\naccepted ${totals.accepted}\n`);
await send();
