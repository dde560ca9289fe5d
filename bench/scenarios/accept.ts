import { echo, embedded, HELD, onRedis } from '../contenders.ts';
import { send, unsettled } from '../load.ts';
import { each, type Run, type Scenario } from '../scenario.ts';

const LOAD = { users: 1000, connections: 50, call: '2 50 3600000' };
const BARE = 'bare Koa, router, body parser';

const run: Run = async (contender, _worker, scale) => {
  const warm = Math.round(20_000 * scale);
  const messages = Math.round(60_000 * scale);
  await send(contender, { ...LOAD, messages: warm });
  const before = contender.cpu();
  const begun = performance.now();
  await send(contender, { ...LOAD, messages });
  const seconds = (performance.now() - begun) / 1000;
  const after = contender.cpu();
  return {
    'messages/s': messages / seconds,
    'µs CPU': ((after.own - before.own) * 1000) / messages,
    'µs Redis': ((after.redis - before.redis) * 1000) / messages,
  };
};

/** And all of them are in the store. */
const kept: Run = async (contender, worker, scale) => {
  const figures = await run(contender, worker, scale);
  const messages = Math.round(20_000 * scale) + Math.round(60_000 * scale);
  const waiting = await unsettled(contender);
  if (waiting !== messages) throw new Error(`${messages} messages were accepted, ${waiting} are there`);
  return figures;
};

/** `POST /api/v1/message`, durable before the answer. */
export const accept: Scenario = {
  name: 'accept',
  title: 'Accept: POST /api/v1/message, durable before the answer; 50 connections, 1,000 users, no call made',
  target: 'at least 0.6 of bare Koa',
  entries: [
    ...each({ [BARE]: echo }, run),
    ...each({ 'broker on Redis': onRedis({ env: HELD }), 'broker, embedded': embedded({ env: HELD }) }, kept),
  ],
  compared: { figures: ['messages/s'], how: 'ratio', with: BARE },
};
