import { isObject } from '../../src/json.ts';
import { type Child, memory as resident } from '../child.ts';
import { type Contender, embedded, HELD, onRedis } from '../contenders.ts';
import { Connection, get } from '../http.ts';
import { aRequest, mustHaveCalled, reportOf, send, settled } from '../load.ts';
import { each, type Run, type Scenario } from '../scenario.ts';

/** Users whose message waits for a slot of this broker. */
const users: Run = async (contender, _worker, scale) => {
  const child = theOne(contender);
  const count = Math.round(100_000 * scale);
  await send(contender, { messages: 2000, users: 2000, connections: 50, call: '2 50 3600000' });
  const before = await inUse(child);
  await send(contender, { messages: count, users: 2000 + count, connections: 50, call: '2 50 3600000' });
  // Those of before are among them.
  return { 'kB for a user with work waiting': ((await inUse(child)) - before) / 1000 / (count - 2000) };
};

/** Listeners to one message that has not begun. */
const listeners: Run = async (contender, _worker, scale) => {
  const child = theOne(contender);
  const count = Math.round(2000 * Math.max(scale, 0.25));
  const connection = new Connection(child.url);
  await connection.send(aRequest('first', '2 50 3600000'));
  const { body } = await connection.send(aRequest('speaker', '2 50 3600000'));
  connection.close();
  const id = /"message_id":"([^"]+)"/.exec(body)?.[1] ?? '';
  const request = get(`/api/v1/stream?user_id=speaker&message_id=${id}`);
  const before = await inUse(child);
  const residentBefore = resident(child.pid);
  const open = Array.from({ length: count }, () => new Connection(child.url));
  await Promise.all(open.map((listener) => listener.begin(request)));
  // Before the garbage is collected, as an operator sees it.
  const residentAfter = resident(child.pid);
  const after = await inUse(child);
  for (const listener of open) listener.close();
  return {
    'kB for an open listener': (after - before) / 1000 / count,
    'kB resident': (residentAfter - residentBefore) / 1000 / count,
  };
};

/** What a broker has in use after so many messages, each of a user of its own, and after ten times as many. */
const messages: Run = async (contender, worker, scale) => {
  const child = theOne(contender);
  const count = Math.round(1_000_000 * scale);
  await reportOf(worker, 'forget');
  const tenth = Math.round(count / 10);
  await send(contender, { messages: tenth, users: tenth, connections: 50 });
  await settled(contender, worker, tenth);
  const before = await inUse(child);
  await send(contender, { messages: count - tenth, users: count - tenth, from: tenth, connections: 50 });
  await settled(contender, worker, count);
  const after = await inUse(child);
  await mustHaveCalled(worker, count);
  return { 'MB after a tenth': before / 1e6, 'MB after all messages': after / 1e6 };
};

function theOne({ children }: Contender): Child {
  const [child] = children;
  if (!child) throw new Error('there is no broker');
  return child;
}

/** Bytes that a broker has in use once it has collected its garbage. */
async function inUse(child: Child): Promise<number> {
  const usage = await child.ask('memory');
  if (!isObject(usage)) throw new Error('the broker does not tell its memory');
  return Number(usage['heapUsed']) + Number(usage['external']);
}

/** What is in memory. */
export const memory: Scenario = {
  name: 'memory',
  title: 'Memory: JavaScript heap and buffers in use after garbage collection',
  target: 'at most 6 kB for a user with work waiting in this broker',
  entries: each({ 'broker on Redis': onRedis({ env: HELD }), 'broker, embedded': embedded({ env: HELD }) }, users),
};

export const listening: Scenario = {
  name: 'listening',
  title: 'Memory: open listeners',
  target: 'at most 20 kB for an open listener',
  entries: each({ 'broker on Redis': onRedis({ env: HELD }), 'broker, embedded': embedded({ env: HELD }) }, listeners),
};

/** Retention is short: the file, or Redis, is not what is measured. */
const SHORT = { EVENT_RETENTION_SECONDS: '1' };

export const endurance: Scenario = {
  name: 'endurance',
  title: 'Memory over 1,000,000 messages, each of a new user',
  target: 'flat',
  entries: each({ 'broker on Redis': onRedis({ env: SHORT }), 'broker, embedded': embedded({ env: SHORT }) }, messages),
};
