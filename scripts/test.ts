/**
 * `npm test`: runs ava, and fails too when a test leaves a file or a process behind. Arguments are ava's own.
 * All tests of a run have one folder for what is temporary, and every process they start carries its name.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const AVA = fileURLToPath(new URL('../node_modules/ava/entrypoints/cli.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'broker-tests-'));

/** Processes that a test has started and not ended. Linux only: elsewhere nothing is known. */
function leftRunning(): number[] {
  const processes = process.platform === 'linux' ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  return processes.map(Number).filter((pid) => {
    try {
      return pid !== process.pid && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`TMPDIR=${directory}`);
    } catch {
      // It has ended meanwhile, or is not ours to look at.
      return false;
    }
  });
}

const ava = spawn(process.execPath, [AVA, ...process.argv.slice(2)], {
  stdio: 'inherit',
  // Hundreds of processes and threads load the same files: what one has compiled is kept for the others, which takes a
  // third off the start of each.
  env: { ...process.env, TMPDIR: directory, NODE_COMPILE_CACHE: join(directory, 'node-compile-cache') },
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ava.kill(signal));
ava.once('exit', (code) => {
  const running = leftRunning();
  for (const pid of running) process.kill(pid, 'SIGKILL');
  // Node keeps compiled code here when it is told to; that is not a test's.
  const left = readdirSync(directory).filter((name) => name !== 'node-compile-cache');
  rmSync(directory, { recursive: true, force: true });
  if (running.length) console.error(`The tests left ${running.length} processes running.`);
  if (left.length) console.error(`The tests left temporary files: ${left.join(', ')}`);
  process.exitCode = code || (running.length + left.length > 0 ? 1 : 0);
});
