/**
 * What open dashboards cost: the broker's and the store's processor time in a second, with few and with many users waiting,
 * and with no and with five dashboards. `npm run bench:dashboards -- --users 1000,100000 --seconds 20`
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSimulatedWorker } from '../src/simulated-worker/server.ts';
import { EmbeddedStore } from '../src/store/embedded/embedded.ts';
import { RedisStore } from '../src/store/redis/redis.ts';
import { startRedis } from '../test/helpers/redis.ts';
import { aMessage, settingsOf } from '../test/store/contract/kit.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const TICKS_IN_A_SECOND = 100;
const DASHBOARDS = 5;

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '1000,100000' },
    seconds: { type: 'string', default: '20' },
  },
});
const seconds = Number(values.seconds);

/** Processor time of a process so far, in ms. */
async function spent(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map(Number);
  return ((user + system) * 1000) / TICKS_IN_A_SECOND;
}

/** In ms a second, of the broker and of the store. */
async function load(broker: number, redis: number | undefined) {
  const before = [await spent(broker), redis ? await spent(redis) : 0];
  await delay(seconds * 1000);
  const after = [await spent(broker), redis ? await spent(redis) : 0];
  return after.map((ms, index) => ((ms - (before[index] ?? 0)) / seconds).toFixed(1).padStart(7));
}

/** What the worker takes, and holds. */
function payloadOf(user: string): string {
  return JSON.stringify({ client_id: 'bench', user_id: user, org: 'bench', message: 'Hi', message_type: 'text' });
}

async function pidOf(port: number): Promise<number | undefined> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes('redis-server') && command.includes(`:${port}`)) return Number(pid);
  }
  return undefined;
}

async function measure(kind: 'embedded' | 'redis', users: number): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  const redis = kind === 'redis' ? await startRedis() : undefined;
  const store = redis ? new RedisStore(redis.url, settingsOf()) : new EmbeddedStore(directory, settingsOf());
  for (let from = 0; from < users; from += 1000) {
    const portion = Array.from({ length: Math.min(1000, users - from) }, (_, index) => `user-${from + index}`);
    await Promise.all(portion.map((user) => store.enqueue(aMessage(user, { payload: payloadOf(user) }))));
  }
  await store.close();
  const worker = await startSimulatedWorker({ respond: () => ({ ttft: 3_600_000 }) });
  const place = redis ? { REDIS_URL: redis.url } : { STORE: 'embedded', DATA_DIR: directory };
  const broker = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: '0',
      ...place,
      WORKER_BASE_URL: worker.url,
      WORKER_CONCURRENCY: '1',
      WORKER_IDLE_TIMEOUT_SECONDS: '3600',
      WORKER_TIMEOUT_SECONDS: '3600',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const leave = new AbortController();
  try {
    const url = await new Promise<string>((resolve) => {
      broker.stdout.on('data', (line: Buffer) => {
        const found = /"url":"([^"]+)"/.exec(line.toString())?.[1];
        if (found) resolve(found);
      });
    });
    const pids = [broker.pid ?? 0, redis && (await pidOf(redis.port))] as const;
    await delay(5000);
    const told = (dashboards: number, [ours, theirs]: readonly string[]) =>
      console.log(
        `${kind.padEnd(8)} ${String(users).padStart(7)} users, ${dashboards} dashboards: broker ${ours} ms/s, Redis ${theirs} ms/s`,
      );
    told(0, await load(...pids));
    for (let index = 0; index < DASHBOARDS; index += 1) {
      const { body } = await fetch(`${url}/api/v1/dashboard/events`, { signal: leave.signal });
      void body?.pipeTo(new WritableStream()).catch(() => {});
    }
    await delay(2000);
    told(DASHBOARDS, await load(...pids));
  } finally {
    leave.abort();
    broker.kill('SIGKILL');
    await once(broker, 'exit');
    await worker.close();
    await redis?.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

for (const kind of ['embedded', 'redis'] as const) {
  for (const users of values.users.split(',').map(Number)) await measure(kind, users);
}
