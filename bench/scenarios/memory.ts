import { isObject } from '../../src/json.ts';
import type { Child } from '../child.ts';
import { type Contender, embedded, HELD, onRedis } from '../contenders.ts';
import { Connection, get } from '../http.ts';
import { aRequest, reportOf, send, settled } from '../load.ts';
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
  const open = Array.from({ length: count }, () => new Connection(child.url));
  await Promise.all(open.map((listener) => listener.begin(request)));
  const after = await inUse(child);
  for (const listener of open) listener.close();
  return { 'kB for an open listener': (after - before) / 1000 / count };
};

/** What a broker has in use after so many messages, and after ten times as many. */
const messages: Run = async (contender, worker, scale) => {
  const child = theOne(contender);
  const count = Math.round(1_000_000 * scale);
  await reportOf(worker, 'forget');
  const load = { users: 1000, connections: 50 };
  await send(contender, { ...load, messages: count / 10 });
  await settled(contender, worker, count / 10);
  const before = await inUse(child);
  await send(contender, { ...load, messages: count - count / 10 });
  await settled(contender, worker, count);
  const after = await inUse(child);
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
  title: 'Memory over 1,000,000 messages of 1,000 users',
  target: 'flat',
  entries: each({ 'broker on Redis': onRedis({ env: SHORT }), 'broker, embedded': embedded({ env: SHORT }) }, messages),
};
