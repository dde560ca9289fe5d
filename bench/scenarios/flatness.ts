import { embedded, HELD, onRedis } from '../contenders.ts';
import { Connection, get } from '../http.ts';
import { reportOf, send, settled, waiting } from '../load.ts';
import { each, type Run, type Scenario } from '../scenario.ts';

/** Messages of so many users, all of them live: each has one waiting before the first has ended. */
function of(users: number): Run {
  return async (contender, worker, scale) => {
    const count = users === FEW ? FEW : Math.round(users * scale);
    const messages = Math.max(count, Math.round(40_000 * scale));
    await reportOf(worker, 'forget');
    await send(contender, { messages: 2000, users: 500, connections: 50 });
    await settled(contender, worker, 2000);
    const before = contender.cpu();
    await send(contender, { messages, users: count, connections: 50 });
    await settled(contender, worker, 2000 + messages);
    const after = contender.cpu();
    return {
      'µs CPU': ((after.own - before.own) * 1000) / messages,
      'µs Redis': ((after.redis - before.redis) * 1000) / messages,
    };
  };
}

const FEW = 1000;
const MANY = 100_000;

/** The whole way with few users and with many. */
export const users: Scenario = {
  name: 'users',
  title: 'Flatness: the whole way with 1,000 and with 100,000 users live',
  target: 'at most 1.3 times the CPU',
  entries: [
    ...each({ 'Redis, 1,000 users': onRedis() }, of(FEW)),
    ...each({ 'Redis, 100,000 users': onRedis() }, of(MANY)),
    ...each({ 'embedded, 1,000 users': embedded() }, of(FEW)),
    ...each({ 'embedded, 100,000 users': embedded() }, of(MANY)),
  ],
};

const asked: Run = async ({ children, cpu }, _worker, scale) => {
  const connection = new Connection(children[0]?.url ?? '');
  const request = get('/health');
  for (let i = 0; i < 50; i += 1) await connection.send(request);
  const times = Math.max(100, Math.round(500 * scale));
  const waits: number[] = [];
  const before = cpu();
  for (let i = 0; i < times; i += 1) {
    const sentAt = performance.now();
    await connection.send(request);
    waits.push(performance.now() - sentAt);
  }
  const after = cpu();
  connection.close();
  waits.sort((a, b) => a - b);
  return {
    'ms, median': waits[times >> 1] ?? Number.NaN,
    'ms CPU': (after.own - before.own) / times,
    'ms Redis': (after.redis - before.redis) / times,
  };
};

/** `GET /health` of brokers in whose store so many queues wait. */
export function health(queues: number): Scenario {
  const full = { env: HELD, fill: waiting(queues, '2 50 3600000') };
  const name = `${queues.toLocaleString('en')} queues`;
  return {
    name: 'health',
    title: `Flatness: GET /health with ${name} waiting, and with none`,
    target: 'at most 1.5 times as long',
    entries: each(
      {
        'Redis, none': onRedis({ env: HELD }),
        [`Redis, ${name}`]: onRedis(full),
        'embedded, none': embedded({ env: HELD }),
        [`embedded, ${name}`]: embedded(full),
      },
      asked,
    ),
  };
}
