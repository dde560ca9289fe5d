import { setTimeout as delay } from 'node:timers/promises';
import { type Contender, embedded, HELD, onRedis, PATIENT } from '../contenders.ts';
import { Connection, get } from '../http.ts';
import { mustHaveCalled, reportOf, send, settled, unsettled, usersAt, waiting } from '../load.ts';
import { each, type Figures, type Run, type Scenario } from '../scenario.ts';

type Crowd = { readonly users: number; readonly messagesOfEach: number };

const FEW: Crowd = { users: 1000, messagesOfEach: 40 };
const MANY: Crowd = { users: 100_000, messagesOfEach: 1 };
const WARM = 2000;

/** All users live at once: their messages are accepted while the worker holds its answers. Measured from the first to the last. */
function of(crowd: Crowd): Run {
  return async (contender, worker, scale) => {
    const [child] = contender.children;
    if (!child) throw new Error('there is no broker');
    // A quick run has fewer messages: of each of the few users, or of fewer users.
    const messagesOfEach = Math.max(1, Math.round(crowd.messagesOfEach * scale));
    const users = crowd.messagesOfEach === 1 ? Math.round(crowd.users * scale) : crowd.users;
    const messages = users * messagesOfEach;
    await reportOf(worker, 'forget');
    await send(contender, { messages: WARM, users: 500, connections: 50 });
    await settled(contender, worker, WARM);
    await reportOf(worker, 'hold');
    const before = contender.cpu();
    await send(contender, { messages, users, connections: 50 });
    const [live, left] = [await usersAt(child), await unsettled(contender)];
    if (live !== users || left !== messages)
      throw new Error(`${live} users of ${users} are live, with ${left} messages of ${messages}`);
    await reportOf(worker, 'go');
    await settled(contender, worker, WARM + messages);
    const after = contender.cpu();
    await mustHaveCalled(worker, WARM + messages);
    return {
      'µs CPU': ((after.own - before.own) * 1000) / messages,
      'µs Redis': ((after.redis - before.redis) * 1000) / messages,
    };
  };
}

/** The whole way with few users and with many. */
export const users: Scenario = {
  name: 'users',
  title:
    'Flatness: from acceptance to the end, with 1,000 (40 messages each) and with 100,000 users (one each) live at once',
  target: 'at most 1.3 times the CPU for each message',
  entries: [
    ...each({ 'Redis, 1,000 users': onRedis({ env: PATIENT }) }, of(FEW)),
    ...each({ 'Redis, 100,000 users': onRedis({ env: PATIENT }) }, of(MANY)),
    ...each({ 'embedded, 1,000 users': embedded({ env: PATIENT }) }, of(FEW)),
    ...each({ 'embedded, 100,000 users': embedded({ env: PATIENT }) }, of(MANY)),
  ],
};

const DASHBOARDS = 5;

const asked: Run = async (contender, _worker, scale) => ({
  ...(await askedForHealth(contender, scale)),
  ...(await watched(contender, scale)),
});

async function askedForHealth({ children, cpu }: Contender, scale: number): Promise<Figures> {
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
    'health: ms, median': waits[times >> 1] ?? Number.NaN,
    'ms CPU': (after.own - before.own) / times,
    'ms Redis': (after.redis - before.redis) / times,
  };
}

/** What the feed of open dashboards costs, and what the broker does by itself meanwhile. */
async function watched({ children, cpu }: Contender, scale: number): Promise<Figures> {
  const open = Array.from({ length: DASHBOARDS }, () => new Connection(children[0]?.url ?? ''));
  let frames = 0;
  const hear = (text: string) => {
    frames += text.split('\n\n').length - 1;
  };
  await Promise.all(open.map((connection) => connection.begin(get('/api/v1/dashboard/events'), hear)));
  await delay(2000);
  const seconds = Math.max(3, 15 * scale);
  const [before, framesBefore] = [cpu(), frames];
  await delay(seconds * 1000);
  const after = cpu();
  for (const connection of open) connection.close();
  const heard = frames - framesBefore;
  if (heard < DASHBOARDS * (seconds - 2)) throw new Error(`the dashboards were told ${heard} times in ${seconds} s`);
  return {
    'five dashboards: ms CPU/s': (after.own - before.own) / seconds,
    'ms Redis/s': (after.redis - before.redis) / seconds,
  };
}

/** What is told of brokers in whose store so many queues wait. */
export function health(queues: number): Scenario {
  const full = { env: HELD, fill: waiting(queues, '2 50 3600000') };
  // Where nothing is, a broker looks less often.
  const one = { env: HELD, fill: waiting(1, '2 50 3600000') };
  const name = `${queues.toLocaleString('en')} queues`;
  return {
    name: 'health',
    title: `Flatness: GET /health, and the feed of five open dashboards, with ${name} waiting, and with one`,
    target: 'at most 1.5 times as much',
    entries: each(
      {
        'Redis, one queue': onRedis(one),
        [`Redis, ${name}`]: onRedis(full),
        'embedded, one queue': embedded(one),
        [`embedded, ${name}`]: embedded(full),
      },
      asked,
    ),
  };
}
