import test from 'ava';
import { completesAll } from './trial.ts';

const wish = { store: 'redis', brokers: 2 } as const;

test.serial('connections between a broker and Redis break, and none can be made', (t) =>
  completesAll(t, 31, { ...wish, faults: ['the network is cut'] }),
);

test.serial('nothing of what a broker says reaches Redis until later', (t) =>
  completesAll(t, 32, { ...wish, faults: ['the network holds what goes to Redis'] }),
);

test.serial('nothing of what Redis says reaches a broker until later', (t) =>
  completesAll(t, 33, { ...wish, faults: ['the network holds what comes from Redis'] }),
);

test.serial('nothing passes between a broker and Redis in either direction until later', (t) =>
  completesAll(t, 34, { ...wish, faults: ['the network holds everything'] }),
);
