import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from './redis.ts';

const MASTERS = 3;
const FORMS_WITHIN_MS = 30_000;
/** Redis gives a failover up after 5 s, as when the vote for it is lost: then it has to be asked for again. */
const FAILOVER_WITHIN_MS = 6000;

export type RedisCluster = {
  /** All nodes, as `REDIS_URL` takes them. */
  readonly url: string;
  /** Masters at first, and their replicas. */
  readonly masters: readonly RedisServer[];
  readonly nodes: readonly RedisServer[];
  /**
   * Kills the first master at once, with what clients are asking of it at that moment, when its replica has all that it has
   * confirmed. Redis replicates behind its answers: what it has not passed on by then nobody above it can keep.
   */
  killMaster(): Promise<void>;
  /** Removes everything that is stored. */
  flush(): Promise<void>;
  /** Makes one of the replicas the master in place of its own, which loses nothing by it; resolves when all know. */
  failOver(): Promise<void>;
  /** Resolves once all slots are served, by whomever. */
  whole(): Promise<void>;
  stop(): Promise<void>;
};

/** Starts a Redis Cluster of three masters, each with a replica, on free ports. */
export async function startCluster(): Promise<RedisCluster> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--cluster-replica-validity-factor', '0'];
  const servers = await Promise.all(Array.from({ length: 2 * MASTERS }, () => startRedis({ busPort: true, args })));
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
  await Promise.all(masters.map((master, index) => ask(master, 'CLUSTER', 'ADDSLOTSRANGE', ...slotsOf(index))));
  for (const server of servers) await ask(first, 'CLUSTER', 'MEET', '127.0.0.1', String(server.port));
  await until(async () => {
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
    const roles = await Promise.all(servers.slice(MASTERS).map((server) => ask(server, 'INFO', 'replication')));
    return roles.every((answer) => answer.includes('role:slave') && answer.includes('master_link_status:up'));
  });
  await whole();
  return {
    url: servers.map(({ url }) => url).join(','),
    masters,
    nodes: servers,
    killMaster: async () => {
      await ask(first, 'CLIENT', 'PAUSE', '60000', 'WRITE');
      await until(async () => {
        const said = await ask(first, 'INFO', 'replication');
        const [, at] = /master_repl_offset:(\d+)/.exec(said) ?? [];
        return at !== undefined && said.includes(`offset=${at},`);
      });
      await first.kill();
    },
    failOver: async () => {
      const roles = await Promise.all(servers.map((server) => ask(server, 'INFO', 'replication')));
      const replica = servers[roles.findIndex((role) => role.includes('role:slave'))];
      if (!replica) throw new Error('The Redis Cluster has no replica.');
      const isMaster = async () => (await ask(replica, 'INFO', 'replication')).includes('role:master');
      await until(async () => {
        if (await isMaster()) return true;
        await ask(replica, 'CLUSTER', 'FAILOVER');
        const deadline = Date.now() + FAILOVER_WITHIN_MS;
        while (!(await isMaster()) && Date.now() < deadline) await delay(50);
        return isMaster();
      });
      await whole();
    },
    flush: async () => void (await Promise.all(masters.map((master) => ask(master, 'FLUSHALL')))),
    whole,
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  };
}

function slotsOf(master: number): [string, string] {
  const each = Math.ceil(16_384 / MASTERS);
  return [String(master * each), String(Math.min(16_384, (master + 1) * each) - 1)];
}
