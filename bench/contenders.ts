import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../test/helpers/redis.ts';
import { Child, cpuMs } from './child.ts';

/** What is measured: how it is reached, and what it costs. */
export type Contender = {
  readonly name: string;
  /** Where it is asked: more than one for several brokers. */
  readonly urls: readonly string[];
  /** User and system time so far, in ms: of its own processes, and of its Redis. */
  readonly cpu: () => { readonly own: number; readonly redis: number };
  readonly pids: readonly number[];
  readonly stop: () => Promise<void>;
};

export type Start = (worker: Child, env?: Readonly<Record<string, string>>) => Promise<Contender>;

/** Folder for the brokers' profiles; undefined: none are made. */
let profiles: string | undefined;

/** From now on each broker writes a profile of its processor time there. */
export function profileInto(directory: string): void {
  profiles = directory;
}

/** Settings of a broker that is measured: its queues may hold what the load puts into them, its log what went wrong. */
const BROKER = {
  LOG_LEVEL: 'WARNING',
  SHUTDOWN_SECONDS: '1',
  MAX_QUEUE_LENGTH: '1000000',
  MAX_WAITING_MESSAGES: '10000000',
};

/** Bare Koa with router and body parser. */
export const echo: Start = async () => {
  const child = await Child.start('peers/echo.ts', {});
  return contender('bare Koa', [child], undefined, () => child.stop());
};

/** The worker itself. */
export const direct: Start = async (worker) => contender('the worker itself', [worker], undefined, async () => {});

/** Koa and BullMQ: no order, no events. */
export const bullmq: Start = async (worker) => {
  const redis = await startRedis(REDIS);
  const child = await Child.start('peers/bullmq.ts', { REDIS_URL: redis.url, WORKER_BASE_URL: worker.url });
  return contender('Koa + BullMQ', [child], redis.pid, async () => {
    await child.stop();
    await redis.stop();
  });
};

/** This broker on the embedded store. */
export const embedded: Start = async (worker, env = {}) => {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  const child = await broker(worker, { STORE: 'embedded', DATA_DIR: directory, ...env });
  return contender('broker, embedded', [child], undefined, async () => {
    await child.stop();
    await rm(directory, { recursive: true, force: true });
  });
};

/** This broker on Redis. */
export const onRedis: Start = (worker, env) => brokers('broker, Redis', 1, worker, env);

/** Two brokers on one Redis, each asked half of the time. */
export const twoOnRedis: Start = (worker, env) => brokers('two brokers, one Redis', 2, worker, env);

/** As a Redis is run that must not lose messages: it writes all to its file, and syncs that each second. */
const REDIS = { appendonly: true, args: ['--appendfsync', 'everysec'] };

async function brokers(name: string, count: number, worker: Child, env = {}): Promise<Contender> {
  const redis = await startRedis(REDIS);
  const start = () => broker(worker, { REDIS_URL: redis.url, ...env });
  const children = await Promise.all(Array.from({ length: count }, start));
  return contender(name, children, redis.pid, async () => {
    await Promise.all(children.map((child) => child.stop()));
    await redis.stop();
  });
}

function broker(worker: Child, env: Readonly<Record<string, string>>): Promise<Child> {
  const flags = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
  return Child.start('../src/main.ts', { ...BROKER, WORKER_BASE_URL: worker.url, ...env }, flags);
}

function contender(
  name: string,
  children: readonly Child[],
  redis: (() => number) | undefined,
  stop: () => Promise<void>,
): Contender {
  const pids = children.map(({ pid }) => pid);
  return {
    name,
    urls: children.map(({ url }) => url),
    pids,
    cpu: () => ({ own: pids.reduce((sum, pid) => sum + cpuMs(pid), 0), redis: redis ? cpuMs(redis()) : 0 }),
    stop,
  };
}
