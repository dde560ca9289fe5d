/**
 * How long the users of a broker that was killed wait: from `kill -9` to the next worker call of each, made by the other
 * broker. `npm run bench:takeover -- --lease 2 --users 20`
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSimulatedWorker } from '../src/simulated-worker/server.ts';
import { startRedis } from '../test/helpers/redis.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const { values } = parseArgs({
  options: { lease: { type: 'string', default: '2' }, users: { type: 'string', default: '20' } },
});

const redis = await startRedis({ appendonly: true });
const worker = await startSimulatedWorker();
const one = await broker('one');
const other = await broker('other');
try {
  const users = Array.from({ length: Number(values.users) }, (_, n) => `user-${n}`);
  for (const user of users) await send(one.url, user, '[[text="held" ttft=600000]]');
  await worker.waitForCalls(users.length);
  // The other one looks for work as well, and may have been quicker with some.
  const orphans = worker.calls.filter(({ headers }) => headers.authorization === 'Bearer one').length;
  for (const user of users) await send(other.url, user, 'next');
  const killedAt = performance.now();
  one.child.kill('SIGKILL');
  await worker.until(() => worker.calls.filter(({ attempt }) => attempt === 2).length === orphans || undefined);
  const waits = worker.calls
    .filter(({ attempt }) => attempt === 2)
    .map(({ startedMs }) => (startedMs - killedAt) / 1000);
  waits.sort((a, b) => a - b);
  console.log(`${orphans} users, lease ${values.lease} s: taken over after`);
  console.log(
    `${seconds(waits[0])} (least), ${seconds(waits[waits.length >> 1])} (median), ${seconds(waits.at(-1))} (most)`,
  );
} finally {
  for (const { child } of [one, other]) child.kill('SIGKILL');
  await worker.close();
  await redis.stop();
}

async function broker(key: string): Promise<{ url: string; child: ChildProcess }> {
  const env = { REDIS_URL: redis.url, WORKER_BASE_URL: worker.url, LEASE_SECONDS: values.lease, WORKER_API_KEY: key };
  const child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve) => {
    child.stdout.on('data', (text: Buffer) => {
      const address = /"url":"([^"]+)"/.exec(String(text))?.[1];
      if (address) resolve(address);
    });
  });
  return { url, child };
}

async function send(url: string, user: string, message: string): Promise<void> {
  const body = JSON.stringify({ user_id: user, org_id: 'o', client_id: 'bench', message });
  const headers = { 'content-type': 'application/json' };
  const { status } = await fetch(`${url}/api/v1/message`, { method: 'POST', headers, body });
  if (status !== 202) throw new Error(`not accepted: ${status}`);
}

function seconds(value: number | undefined): string {
  return `${value?.toFixed(2)} s`;
}
