import test from 'ava';
import { completesAll, isSound } from './trial.ts';

const wish = { store: 'cluster', brokers: 2 } as const;

test.serial('in a Redis Cluster a replica takes over from its master, and a broker is killed', (t) =>
  completesAll(t, 61, { ...wish, faults: ['a replica takes over', 'a broker is killed'] }),
);

test.serial('a master of a Redis Cluster is killed, and later one again', (t) =>
  completesAll(t, 63, { ...wish, faults: ['a master is killed', 'a master is killed'] }),
);

test.serial('Redis Cluster, whatever seed 62 brings, with users who cancel, clear and interrupt', async (t) => {
  await isSound(t, 62, { store: 'cluster', cancels: true });
});
