import test from 'ava';
import { STORES } from '../helpers/broker.ts';
import { completesAll } from './trial.ts';

for (const store of STORES) {
  test.serial(`${store}: the only broker is killed and started again`, (t) =>
    completesAll(t, 11, { store, brokers: 1, faults: ['a broker is killed'] }),
  );

  test.serial(`${store}: a broker is frozen for longer than its lease and goes on`, (t) =>
    completesAll(t, 12, { store, brokers: store === 'redis' ? 2 : 1, faults: ['a broker is frozen'] }),
  );

  test.serial(`${store}: a broker is stopped in order under load and started again`, (t) =>
    completesAll(t, 13, { store, brokers: store === 'redis' ? 2 : 1, faults: ['a broker is stopped in order'] }),
  );

  test.serial(`${store}: clocks are off by a minute, between brokers and from one start to the next`, (t) =>
    completesAll(t, 14, { store, brokers: store === 'redis' ? 3 : 1, faults: ['a broker is killed'], clocks: 'wrong' }),
  );
}

test.serial('one of three brokers is killed and started again', (t) =>
  completesAll(t, 15, { store: 'redis', brokers: 3, faults: ['a broker is killed'] }),
);
