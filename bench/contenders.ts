import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedStore } from '../src/store/embedded/embedded.ts';
import { RedisStore } from '../src/store/redis/redis.ts';
import type { Store } from '../src/store/store.ts';
import { startRedis } from '../test/helpers/redis.ts';
import { settingsOf } from '../test/store/contract/kit.ts';
import { Child, cpuMs } from './child.ts';

/** What is measured: how it is reached, and what it costs. */
export type Contender = {
  /** One for each broker. */
  readonly children: readonly Child[];
  /** User and system time so far, in ms: of its own processes, and of its Redis. */
  readonly cpu: () => { readonly own: number; readonly redis: number };
  readonly stop: () => Promise<void>;
};

type Settings = {
  readonly env?: Readonly<Record<string, string>>;
  /** Puts something into the store before a broker sees it. */
  readonly fill?: (store: Store) => Promise<void>;
  /** It is started as people do, not to be asked over IPC. */
  readonly npmStart?: boolean;
};

/** Starts a contender that calls this worker. */
export type Start = (worker: Child) => Promise<Contender>;

/** Flags of Node.js for each broker that is measured: those of `npm start`, and one for the bench. */
const flags: string[] = ['--no-allocation-site-pretenuring', '--expose-gc'];

/** From now on each broker writes a profile of its processor time there. */
export function profileInto(directory: string): void {
  flags.push('--cpu-prof', `--cpu-prof-dir=${directory}`);
}

/** The queues of a broker that is measured hold what the load puts into them; its log tells what went wrong. */
const BROKER = {
  LOG_LEVEL: 'WARNING',
  SHUTDOWN_SECONDS: '1',
  MAX_QUEUE_LENGTH: '1000000',
  MAX_WAITING_MESSAGES: '10000000',
};

/** A call may last as long as the bench likes. */
export const PATIENT = { WORKER_IDLE_TIMEOUT_SECONDS: '3600', WORKER_TIMEOUT_SECONDS: '3600' };

/** No call is made but one, which stays open: everything else waits. */
export const HELD = { ...PATIENT, WORKER_CONCURRENCY: '1' };

/** As a Redis is run that must not lose messages: it writes all to its file, and syncs that each second. */
const REDIS = { appendonly: true, args: ['--appendfsync', 'everysec'] };

/** Bare Koa with router and body parser. */
export const echo: Start = async () => {
  const child = await Child.start('peers/echo.ts', {});
  return { children: [child], cpu: () => ({ own: cpuMs(child.pid), redis: 0 }), stop: () => child.stop() };
};

/** The worker itself. */
export const direct: Start = async (worker) => ({
  children: [worker],
  cpu: () => ({ own: cpuMs(worker.pid), redis: 0 }),
  stop: async () => {},
});

/** Koa and BullMQ: no order, no events. */
export const bullmq: Start = async (worker) => {
  const redis = await startRedis(REDIS);
  const child = await Child.start('peers/bullmq.ts', { REDIS_URL: redis.url, WORKER_BASE_URL: worker.url });
  return {
    children: [child],
    cpu: () => ({ own: cpuMs(child.pid), redis: cpuMs(redis.pid()) }),
    stop: async () => {
      await child.stop();
      await redis.stop();
    },
  };
};

/** So many brokers on one Redis. */
export function onRedis({ env = {}, fill, npmStart = false }: Settings = {}, count = 1): Start {
  return async (worker) => {
    const redis = await startRedis(REDIS);
    if (fill) await filled(new RedisStore(redis.url, settingsOf()), fill);
    const start = () => broker(worker, { REDIS_URL: redis.url, ...env }, npmStart);
    const children = await Promise.all(Array.from({ length: count }, start));
    return {
      children,
      cpu: () => ({ own: children.reduce((sum, { pid }) => sum + cpuMs(pid), 0), redis: cpuMs(redis.pid()) }),
      stop: async () => {
        await Promise.all(children.map((child) => child.stop()));
        await redis.stop();
      },
    };
  };
}

/** A broker on the embedded store. */
export function embedded({ env = {}, fill, npmStart = false }: Settings = {}): Start {
  return async (worker) => {
    const directory = await mkdtemp(join(tmpdir(), 'bench-'));
    if (fill) await filled(new EmbeddedStore(directory, settingsOf()), fill);
    const child = await broker(worker, { STORE: 'embedded', DATA_DIR: directory, ...env }, npmStart);
    return {
      children: [child],
      cpu: () => ({ own: cpuMs(child.pid), redis: 0 }),
      stop: async () => {
        await child.stop();
        await rm(directory, { recursive: true, force: true });
      },
    };
  };
}

async function filled(store: Store, fill: (store: Store) => Promise<void>): Promise<void> {
  await fill(store);
  await store.close();
}

function broker(worker: Child, more: Readonly<Record<string, string>>, npmStart: boolean): Promise<Child> {
  const env = { ...BROKER, WORKER_BASE_URL: worker.url, ...more };
  return npmStart ? Child.npmStart(env) : Child.start('broker.ts', env, flags);
}
