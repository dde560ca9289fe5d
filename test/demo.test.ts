import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { aDirectory } from './helpers/broker.ts';

const DEMO = fileURLToPath(new URL('../src/demo/main.ts', import.meta.url));

test('the demo shows two conversations side by side, gives a curl line that works, and ends on Ctrl-C', async (t) => {
  const TMPDIR = aDirectory(t);
  const demo = spawn(process.execPath, [DEMO], {
    env: { PATH: process.env['PATH'], PORT: '0', TMPDIR },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => demo.kill('SIGKILL'));
  const lines: string[] = [];
  for await (const line of createInterface(demo.stdout)) {
    lines.push(line);
    if (line.includes('Ctrl-C')) break;
  }
  const columns = [0, 1].map((column) =>
    lines
      .filter((line) => line.includes(' │'))
      .map((line) => (line.split(' │')[column] ?? '').trim())
      .filter(Boolean)
      .join(' '),
  );
  const [ruth = '', boaz = ''] = columns;
  t.regex(ruth, /#2 queued, position 1 .*#3 queued, position 2 .*#1 completed .*#2 is answered: .*#3 completed$/);
  t.regex(ruth, /created the .*heavens and .*the earth\. .*#3 queued, position 1 .*#3 is answered: /);
  t.regex(boaz, /#1 is answered: .*For God .*so loved .*#1 completed .*#2 is answered: .*#2 completed$/);

  const curl = lines.find((line) => line.trim().startsWith('curl '))?.trim() ?? '';
  const { stdout } = await promisify(execFile)('sh', ['-c', curl]);
  t.regex(stdout, /event: queued\n[^]+Genesis 1:2\?[^]+event: done\n/);

  const ended = once(demo, 'exit');
  demo.kill('SIGINT');
  t.deepEqual(await ended, [0, null]);
  t.deepEqual(readdirSync(TMPDIR), []);
});
