import { setTimeout as delay } from 'node:timers/promises';
import { memory } from '../child.ts';
import { embedded, onRedis } from '../contenders.ts';
import { read } from '../http.ts';
import { reportOf, usersAt, waiting } from '../load.ts';
import { each, type Run, type Scenario } from '../scenario.ts';

const QUEUES = 100_000;

/** It has just been started: when was its first call made, and how many actors does it keep, then and a few looks later? */
const recovered: Run = async ({ children }, worker) => {
  const [child] = children;
  if (!child) throw new Error('there is no broker');
  let report = await reportOf(worker);
  while (!report.firstCallAt) report = await reportOf(worker);
  const actors = await usersAt(child);
  await delay(3000);
  return {
    'ms from ready to the first call': report.firstCallAt - child.readyAt,
    'actors then': actors,
    'actors 3 s later': await usersAt(child),
  };
};

/** Each call lasts: what is counted is what is begun. */
const full = { fill: waiting(QUEUES, '2 50 600000') };

export const recovery: Scenario = {
  name: 'recovery',
  title: 'Recovery: a start on 100,000 waiting queues, 100 calls at once',
  target: 'the first call within 1 s of being ready, no more actors than there is use for (200)',
  entries: each({ 'broker on Redis': onRedis(full), 'broker, embedded': embedded(full) }, recovered),
};

/** By then what a start leaves behind has been collected, and what is done again and again is compiled. */
const RESTED_MS = 20_000;

const rested: Run = async ({ children, cpu }, _worker, scale) => {
  await delay(RESTED_MS);
  const seconds = 20 * Math.max(scale, 0.25);
  const before = cpu();
  await delay(seconds * 1000);
  const after = cpu();
  return {
    '% of a core': (after.own - before.own) / seconds / 10,
    '% of a core, Redis': (after.redis - before.redis) / seconds / 10,
    'MB resident': memory(children[0]?.pid ?? 0) / 1e6,
  };
};

const started = { npmStart: true };

export const idle: Scenario = {
  name: 'idle',
  title: 'Outside the way: a broker that has been idle for 20 s',
  target: 'less than 1 % of a core, less than 120 MB',
  entries: each({ 'broker on Redis': onRedis(started), 'broker, embedded': embedded(started) }, rested),
};

const ready: Run = async ({ children: [child] }) => {
  if (!child) throw new Error('there is no broker');
  while ((await read(child.url, '/health/ready')).status !== 200);
  return { 'ms to ready': Date.now() - child.startedAt };
};

export const startup: Scenario = {
  name: 'startup',
  title: 'Outside the way: from `npm start` to ready',
  target: 'less than 1 s',
  entries: each({ 'broker on Redis': onRedis(started), 'broker, embedded': embedded(started) }, ready),
};
