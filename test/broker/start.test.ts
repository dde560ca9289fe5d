import { readFileSync } from 'node:fs';
import test from 'ava';
import { FLAGS } from '../helpers/process.ts';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The flags that stand where Node.js is started, but for those that only find settings or give it a text to run. */
function flagsIn(command: string | undefined): readonly string[] {
  return [...(command ?? '').matchAll(/--[\w-]+/g)].map(([flag]) => flag).filter((flag) => !OTHERS.has(flag));
}
const OTHERS = new Set(['--env-file-if-exists', '--input-type', '--eval']);

test('however it is started, Node.js has the same flags: else what was compiled would not fit, and the bench measure another broker', (t) => {
  const dockerfile = read('Dockerfile').split('\n');
  const commands = {
    'npm start': JSON.parse(read('package.json')).scripts.start,
    'RUN, which compiles': dockerfile.find((line) => line.startsWith('RUN ["node"')),
    CMD: dockerfile.find((line) => line.startsWith('CMD ["node"')),
    'the systemd unit': read('docs/operations/broker.service')
      .split('\n')
      .find((line) => line.startsWith('ExecStart=')),
    'the bench': read('bench/contenders.ts')
      .split('\n')
      .find((line) => line.startsWith('const flags'))
      ?.replace("'--expose-gc'", ''),
  };
  for (const [name, command] of Object.entries(commands)) t.deepEqual(flagsIn(command), FLAGS, name);
});
