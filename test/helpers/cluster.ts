import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from './redis.ts';

const MASTERS = 3;
const FORMS_WITHIN_MS = 30_000;
/** A node that is silent for so long is replaced. */
const NODE_TIMEOUT_MS = 1000;
/** Redis gives a failover up after 5 s, as when the vote for it is lost: then it has to be asked for again. */
const FAILOVER_WITHIN_MS = 6000;
/** A broker that was told there is no replica goes by that for so long at the most. */
const LEARNED_WITHIN_MS = 2500;

export type RedisCluster = {
  /** All nodes, as `REDIS_URL` takes them. */
  readonly url: string;
  /** Masters at first, and their replicas. */
  readonly masters: readonly RedisServer[];
  readonly nodes: readonly RedisServer[];
  /** One of the masters there are now, and its replica. */
  pair(): Promise<{ readonly master: RedisServer; readonly replica: RedisServer }>;
  /** Kills the first master at once, with what clients are asking of it at that moment. */
  killMaster(): Promise<void>;
  /** Kills a master; resolves when its replica has taken its place, and it is up again as the replica of that. */
  crashMaster(): Promise<void>;
  /** Removes everything that is stored. */
  flush(): Promise<void>;
  /** Makes one of the replicas the master in place of its own, which loses nothing by it; resolves when all know. */
  failOver(): Promise<void>;
  /** Resolves once all slots are served, by whomever. */
  whole(): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Starts a Redis Cluster of three masters, each with a replica, on free ports. `nodeTimeoutMs`: a test that counts on who
 * is master gives more, since on a busy machine a node that is well is silent for longer than the default.
 */
export async function startCluster({ nodeTimeoutMs = NODE_TIMEOUT_MS } = {}): Promise<RedisCluster> {
  const args = [
    '--cluster-enabled',
    'yes',
    '--repl-diskless-sync-delay',
    '0',
    '--cluster-node-timeout',
    String(nodeTimeoutMs),
    '--cluster-replica-validity-factor',
    '0',
  ];
  const started = await Promise.allSettled(
    Array.from({ length: 2 * MASTERS }, () => startRedis({ busPort: true, args })),
  );
  const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed) {
    await Promise.all(servers.map((server) => server.stop()));
    throw failed.reason;
  }
  const masters = servers.slice(0, MASTERS);
  const ask = async (server: RedisServer, ...words: [string, ...string[]]): Promise<string> => {
    const client = new Redis(server.port, '127.0.0.1', { maxRetriesPerRequest: 0, retryStrategy: null });
    // What goes wrong is thrown by the call.
    client.on('error', () => {});
    try {
      return String(await client.call(...words));
    } finally {
      client.disconnect();
    }
  };
  const about = (server: RedisServer) => ask(server, 'INFO', 'replication');
  const aReplica = async () => {
    const said = await Promise.all(servers.map(about));
    const index = said.findIndex((one) => one.includes('role:slave') && one.includes('master_link_status:up'));
    const replica = servers[index];
    if (!replica) throw new Error('The Redis Cluster has no replica.');
    return { replica, masterPort: Number(/master_port:(\d+)/.exec(said[index] ?? '')?.[1]) };
  };
  /** Resolves when the replica of a master has what that has by now. */
  const upToDate = async (master: RedisServer) => {
    const offset = Number(/master_repl_offset:(\d+)/.exec(await about(master))?.[1]);
    await until(async () => Number(/state=online,offset=(\d+)/.exec(await about(master))?.[1]) >= offset);
  };
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    const deadline = Date.now() + FORMS_WITHIN_MS;
    while (!(await holds().catch(() => false))) {
      if (Date.now() > deadline) throw new Error('The Redis Cluster did not form.');
      await delay(50);
    }
  };
  const whole = () =>
    until(async () => {
      const said = await Promise.allSettled(servers.map((server) => ask(server, 'CLUSTER', 'INFO')));
      const answers = said.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
      return answers.length > 0 && answers.every((answer) => answer.includes('cluster_state:ok'));
    });

  const [first] = servers;
  if (!first) throw new Error('A Redis Cluster needs a node.');
  const flush = async () => void (await Promise.all(masters.map((master) => ask(master, 'FLUSHALL'))));
  const form = async () => {
    await Promise.all(masters.map((master, index) => ask(master, 'CLUSTER', 'ADDSLOTSRANGE', ...slotsOf(index))));
    await until(async () => {
      // A node that is busy misses it, and is met again.
      for (const server of servers) await ask(first, 'CLUSTER', 'MEET', '127.0.0.1', String(server.port));
      await delay(100);
      const known = await Promise.all(servers.map((server) => ask(server, 'CLUSTER', 'INFO')));
      return known.every((answer) => answer.includes(`cluster_known_nodes:${servers.length}`));
    });
    await Promise.all(
      masters.map(async (master, index) => {
        const replica = servers[MASTERS + index];
        if (replica) await ask(replica, 'CLUSTER', 'REPLICATE', await ask(master, 'CLUSTER', 'MYID'));
      }),
    );
    await until(async () => {
      const said = await Promise.all(masters.map(about));
      return said.every((answer) => answer.includes('state=online'));
    });
    // A replica counts once it has something to confirm.
    await flush();
    await Promise.all(masters.map(upToDate));
    await whole();
  };
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())));
  await form().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    url: servers.map(({ url }) => url).join(','),
    masters,
    nodes: servers,
    pair: async () => {
      const { replica, masterPort } = await aReplica();
      const master = servers.find(({ port }) => port === masterPort);
      if (!master) throw new Error('The master of a replica is none of the nodes.');
      return { master, replica };
    },
    killMaster: () => first.kill(),
    crashMaster: async () => {
      const { replica, masterPort } = await aReplica();
      const master = servers.find(({ port }) => port === masterPort);
      await master?.kill();
      await until(async () => (await about(replica)).includes('role:master'));
      // Not before: it would come back as a master, and empty.
      await master?.restart();
      await until(async () => (await about(replica)).includes('state=online'));
      await delay(LEARNED_WITHIN_MS);
      await upToDate(replica);
      await whole();
    },
    failOver: async () => {
      const { replica } = await aReplica();
      const isMaster = async () => (await about(replica)).includes('role:master');
      await until(async () => {
        if (await isMaster()) return true;
        await ask(replica, 'CLUSTER', 'FAILOVER');
        const deadline = Date.now() + FAILOVER_WITHIN_MS;
        while (!(await isMaster()) && Date.now() < deadline) await delay(50);
        return isMaster();
      });
      await whole();
    },
    flush,
    whole,
    stop,
  };
}

function slotsOf(master: number): [string, string] {
  const each = Math.ceil(16_384 / MASTERS);
  return [String(master * each), String(Math.min(16_384, (master + 1) * each) - 1)];
}
