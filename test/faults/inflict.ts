import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from './broker.ts';
import type { Deployment, SharedStore } from './deployment.ts';
import type { Fault, FaultKind } from './plan.ts';
import type { Direction } from './proxy.ts';

/** Does what the plan says, from now on. What strikes the same part comes one after the other. Resolves when all is healed. */
export async function inflict(faults: readonly Fault[], deployment: Deployment): Promise<void> {
  const begunMs = performance.now();
  const byPart = Map.groupBy(
    faults.toSorted((one, other) => one.atMs - other.atMs),
    partOf,
  );
  await Promise.all(
    [...byPart.values()].map(async (ones) => {
      for (const fault of ones) {
        await delay(Math.max(0, begunMs + fault.atMs - performance.now()));
        await INFLICT[fault.kind](deployment, fault);
      }
    }),
  );
}

type Inflict = (deployment: Deployment, fault: Fault) => Promise<void>;

const INFLICT: Readonly<Record<FaultKind, Inflict>> = {
  'a broker is killed': async (deployment, fault) => {
    const broker = brokerOf(deployment, fault);
    await broker.kill();
    await delay(fault.forMs);
    await broker.start();
  },
  'a broker is frozen': (deployment, fault) => brokerOf(deployment, fault).freeze(fault.forMs),
  'a broker is stopped in order': async (deployment, fault) => {
    const broker = brokerOf(deployment, fault);
    await broker.stop();
    await delay(fault.forMs);
    await broker.start();
  },
  'Redis is killed': async (deployment, { forMs }) => {
    const redis = redisOf(deployment);
    const over = cutOff(deployment, deployment.brokers);
    await redis.kill();
    await delay(forMs);
    await redis.restart();
    over();
  },
  'Redis is frozen': freezeRedis,
  'Redis is frozen for long': freezeRedis,
  'a node hangs': async (deployment, { forMs }) => {
    const [node] = sharedOf(deployment).nodes;
    const over = cutOff(deployment, deployment.brokers);
    node?.freeze();
    await delay(forMs);
    node?.resume();
    over();
  },
  'a replica takes over': async (deployment) => {
    const over = cutOff(deployment, deployment.brokers);
    await sharedOf(deployment).failOver();
    over();
  },
  'a master is killed': async (deployment) => {
    const over = cutOff(deployment, deployment.brokers);
    await sharedOf(deployment).crashMaster();
    over();
  },
  'scripts are flushed': async (deployment) => {
    for (const node of sharedOf(deployment).nodes) {
      const answer = await node.say('SCRIPT FLUSH');
      if (!answer.startsWith('+OK')) throw new Error(`Redis did not flush its scripts: ${answer}`);
    }
  },
  'the worker is down': workerAway,
  'the worker is down for long': workerAway,
  'the worker dies': workerAway,
  'the network is cut': async (deployment, fault) => {
    const proxy = proxyOf(deployment, fault);
    const over = cutOff(deployment, [brokerOf(deployment, fault)]);
    proxy.cut();
    await delay(fault.forMs);
    proxy.heal();
    over();
  },
  'the network holds what goes to Redis': (deployment, fault) => hold(deployment, fault, ['to']),
  'the network holds what comes from Redis': (deployment, fault) => hold(deployment, fault, ['from']),
  'the network holds everything': (deployment, fault) => hold(deployment, fault, ['to', 'from']),
};

async function freezeRedis(deployment: Deployment, { forMs }: Fault): Promise<void> {
  const redis = redisOf(deployment);
  const over = cutOff(deployment, deployment.brokers);
  redis.freeze();
  await delay(forMs);
  redis.resume();
  over();
}

async function workerAway({ worker, recording }: Deployment, { forMs }: Fault): Promise<void> {
  const over = recording.workerGoes();
  await worker.stop();
  await delay(forMs);
  await worker.start();
  over();
}

async function hold(deployment: Deployment, fault: Fault, directions: readonly Direction[]): Promise<void> {
  const proxy = proxyOf(deployment, fault);
  const over = cutOff(deployment, [brokerOf(deployment, fault)]);
  proxy.hold(directions);
  await delay(fault.forMs);
  proxy.heal();
  over();
}

/** Notes that brokers are without their store; answers what notes that they have it again. */
function cutOff({ recording }: Deployment, brokers: readonly Broker[]): () => void {
  const overs = brokers.map(({ life }) => recording.disturb(life, 'cut off'));
  return () => {
    for (const over of overs) over();
  };
}

function partOf({ kind, broker }: Fault): string {
  if (kind.startsWith('a broker')) return `broker ${broker}`;
  if (kind.startsWith('the network')) return `network of broker ${broker}`;
  return kind.startsWith('the worker') ? 'worker' : 'Redis';
}

function brokerOf({ brokers }: Deployment, { broker }: Fault): Broker {
  const found = brokers[broker];
  if (!found) throw new Error(`There is no broker ${broker}.`);
  return found;
}

function proxyOf(deployment: Deployment, { broker }: Fault): SharedStore['proxies'][number] {
  const found = sharedOf(deployment).proxies[broker];
  if (!found) throw new Error(`There is no network of broker ${broker}.`);
  return found;
}

function redisOf(deployment: Deployment): SharedStore['nodes'][number] {
  const [node, ...others] = sharedOf(deployment).nodes;
  if (!node || others.length) throw new Error('This fault needs a single Redis.');
  return node;
}

function sharedOf({ shared }: Deployment): SharedStore {
  if (!shared) throw new Error('This fault needs a store that is shared.');
  return shared;
}
