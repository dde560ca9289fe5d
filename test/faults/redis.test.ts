import test from 'ava';
import { completesAll } from './trial.ts';

const wish = { store: 'redis', brokers: 2 } as const;

test.serial('Redis is killed and started again with what it had written', (t) =>
  completesAll(t, 21, { ...wish, faults: ['Redis is killed'] }),
);

test.serial('Redis stands still for 3 s', (t) => completesAll(t, 22, { ...wish, faults: ['Redis is frozen'] }));

test.serial('Redis stands still for 15 s', (t) =>
  completesAll(t, 24, { ...wish, faults: ['Redis is frozen for long'] }),
);

test.serial('Redis forgets its scripts', (t) => completesAll(t, 23, { ...wish, faults: ['scripts are flushed'] }));
