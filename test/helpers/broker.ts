import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { pino } from 'pino';
import { startBroker } from '../../src/broker.ts';
import { readConfig } from '../../src/config.ts';
import { type SimulatedWorker, startSimulatedWorker } from '../../src/simulated-worker/server.ts';
import { Client } from './client.ts';
import { onFreePort } from './port.ts';
import { startRedis } from './redis.ts';

export type StoreKind = 'embedded' | 'redis';
export const STORES: readonly StoreKind[] = ['embedded', 'redis'];

type Env = Record<string, string>;

/** A fresh store of its own for one test: the settings that point a broker at it. Gone when the test is. */
export async function aStore(t: ExecutionContext, kind: StoreKind): Promise<Env> {
  if (kind === 'redis') {
    const redis = await startRedis();
    t.teardown(() => redis.stop());
    return { REDIS_URL: redis.url };
  }
  return { STORE: 'embedded', DATA_DIR: aDirectory(t) };
}

export function aDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'broker-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function aWorker(
  t: ExecutionContext,
  options: Parameters<typeof startSimulatedWorker>[0] = {},
): Promise<SimulatedWorker> {
  // It may go down and come back on the same port.
  const worker = await onFreePort((port) => startSimulatedWorker({ port, ...options }));
  t.teardown(() => worker.close());
  return worker;
}

/** A broker in this process, on a free port. Teardown stops it, and fails if it cannot be. `ready`: waits for its store. */
export async function aBroker(t: ExecutionContext, env: Env, ready = true, log = pino({ level: 'silent' })) {
  const config = readConfig({ HOST: '127.0.0.1', PORT: '0', SHUTDOWN_SECONDS: '0', ...env });
  const broker = await startBroker(config, log);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= broker.stop();
    return stopped;
  };
  t.teardown(stop);
  const client = new Client(broker.url);
  // A broker that is handed out can be used: it has found its Redis.
  if (ready) while ((await client.get('/health/ready')).status !== 200);
  return { url: broker.url, inspectorUrl: broker.inspectorUrl ?? '', stop, client };
}

/** Worker, store and broker, wired together. */
export async function aSystem(
  t: ExecutionContext,
  kind: StoreKind,
  more: { env?: Env; worker?: Parameters<typeof startSimulatedWorker>[0] } = {},
) {
  const worker = await aWorker(t, more.worker);
  const store = await aStore(t, kind);
  const env: Env = { ...store, WORKER_BASE_URL: worker.url, ...more.env };
  const broker = await aBroker(t, env);
  return { worker, env, ...broker };
}
