import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseDirectives } from '../../src/simulated-worker/directives.ts';
import {
  type CallRecord,
  type Directives,
  type SimulatedWorker,
  startSimulatedWorker,
} from '../../src/simulated-worker/server.ts';
import { startCluster } from '../helpers/cluster.ts';
import { type RedisServer, startRedis } from '../helpers/redis.ts';
import { Broker } from './broker.ts';
import type { Plan } from './plan.ts';
import { TcpProxy } from './proxy.ts';
import { Pulse } from './pulse.ts';
import type { Recording } from './recording.ts';
import type { StopPoint } from './stopping-store.ts';

const SHIFTED_CLOCK = new URL('shifted-clock.mjs', import.meta.url).href;
const BROKER_THAT_STOPS = fileURLToPath(new URL('broker-that-stops.ts', import.meta.url));
const KEEPALIVE_MS = 100;

/** A Redis or a Redis Cluster, and how each broker reaches it. */
export type SharedStore = {
  readonly nodes: readonly RedisServer[];
  /** `REDIS_URL` of each broker. */
  readonly urls: readonly string[];
  /** One for each broker; none before a Cluster, whose nodes tell where the others are. */
  readonly proxies: readonly TcpProxy[];
  /** Makes a replica the master in place of its own; resolves when it is. Nothing is lost by it. */
  readonly failOver: () => Promise<void>;
  readonly crashMaster: () => Promise<void>;
};

/** Brokers, their store and their worker, up and running. */
export type Deployment = AsyncDisposable & {
  readonly leaseMs: number;
  readonly recording: Recording;
  readonly worker: SimulatedWorker;
  readonly brokers: readonly Broker[];
  /** Undefined with the embedded store. */
  readonly shared: SharedStore | undefined;
};

/**
 * Puts up what a plan asks for. Disposing of it ends every process and removes every file. The first processes of each
 * broker kill themselves at the points given, one after the other.
 */
export async function deploy(plan: Plan, recording: Recording, stops: readonly StopPoint[] = []): Promise<Deployment> {
  const leaseMs = Number(plan.env['LEASE_SECONDS']) * 1000;
  await using parts = new AsyncDisposableStack();
  const worker = parts.use(await startSimulatedWorker({ keepaliveMs: KEEPALIVE_MS, respond: answerOnce }));
  const shared = await aSharedStore(parts, plan);
  const directory = await aDirectory(parts);
  const brokers = Array.from({ length: plan.brokers }, (_, index) => {
    const name = String.fromCharCode(97 + index);
    const env = (life: number, key: string) => ({
      ...plan.env,
      ...(shared ? { REDIS_URL: shared.urls[index] ?? '' } : { STORE: 'embedded', DATA_DIR: directory }),
      ...clock(plan.clocksMs[(index + life - 1) % plan.clocksMs.length] ?? 0),
      WORKER_BASE_URL: worker.url,
      WORKER_API_KEY: key,
      ...stopAt(stops[life - 1]),
    });
    const entry = (life: number) => (stops[life - 1] ? BROKER_THAT_STOPS : undefined);
    return parts.use(new Broker(name, { leaseMs, env, entry }, recording));
  });
  await Promise.all(brokers.map((broker) => broker.start()));
  for (const node of shared?.nodes ?? []) parts.use(pulseOf(node, brokers, leaseMs, recording));
  const kept = parts.move();
  return { leaseMs, recording, worker, brokers, shared, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Each call says something of its own, so that what one of them said can be told from what another did. */
function answerOnce({ n, message, attempt }: CallRecord): Directives {
  return { text: `this is call ${n} attempt ${attempt} of a message`, ...parseDirectives(message).directives };
}

async function aSharedStore(parts: AsyncDisposableStack, { store, brokers }: Plan): Promise<SharedStore | undefined> {
  switch (store) {
    case 'embedded':
      return undefined;
    case 'redis':
      return aRedis(parts, brokers);
    case 'cluster': {
      const cluster = await startCluster();
      parts.defer(() => cluster.stop());
      const urls = Array.from({ length: brokers }, () => cluster.url);
      const { nodes, failOver, crashMaster } = cluster;
      return { nodes, urls, proxies: [], failOver, crashMaster };
    }
  }
}

async function aRedis(parts: AsyncDisposableStack, brokers: number): Promise<SharedStore> {
  const redis = await startRedis({ appendonly: true });
  parts.defer(() => redis.stop());
  const proxies = await Promise.all(Array.from({ length: brokers }, () => TcpProxy.start(redis.port)));
  for (const proxy of proxies) parts.use(proxy);
  const urls = proxies.map(({ port }) => `redis://127.0.0.1:${port}`);
  const noReplica = () => Promise.reject(new Error('A single Redis has no replica.'));
  return { nodes: [redis], urls, proxies, failOver: noReplica, crashMaster: noReplica };
}

async function aDirectory(parts: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'broker-'));
  parts.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function stopAt(point: StopPoint | undefined): Record<string, string> {
  if (!point) return {};
  return { STOP_AT: `${point.call} ${point.nth} ${point.when}` };
}

function clock(shiftMs: number): Record<string, string> {
  return shiftMs ? { NODE_OPTIONS: `--import ${SHIFTED_CLOCK}`, CLOCK_SHIFT_MS: String(shiftMs) } : {};
}

function pulseOf(redis: RedisServer, brokers: readonly Broker[], leaseMs: number, recording: Recording): Pulse {
  return new Pulse(
    () => redis.say('PING'),
    leaseMs / 2,
    (fromMs) => {
      for (const { life } of brokers) recording.disturb(life, 'cut off', fromMs)();
    },
  );
}
