import { bullmq, type Contender, embedded, onRedis, twoOnRedis } from '../contenders.ts';
import { Connection, get } from '../http.ts';
import { reportOf, send, settled } from '../load.ts';
import type { Figures, Scenario } from '../scenario.ts';

const USERS = 1000;
/** So many messages are looked at afterwards, whether their result and all events are kept. */
const SAMPLES = 50;

/** From `POST` to the end, nobody listening. */
export const whole: Scenario = {
  name: 'whole',
  title: 'Whole way: POST, ordered worker call of 7 events, settled with its result and events kept; 1,000 users',
  contenders: [bullmq, onRedis, embedded, twoOnRedis],
  baseline: 'Koa + BullMQ',
  figures: { 'messages/s': 'more', 'µs CPU': 'less', 'µs Redis': 'less' },
  run: (contender, worker, surroundings) => run(contender, worker, surroundings, false),
};

/** The same with a listener that reads each message to its end. */
export const listened: Scenario = {
  name: 'listened',
  title: 'Whole way with a listener: POST with Accept: text/event-stream, each message read to its end; 1,000 users',
  contenders: [bullmq, onRedis, embedded, twoOnRedis],
  baseline: 'Koa + BullMQ',
  figures: { 'messages/s': 'more', 'µs CPU': 'less', 'µs Redis': 'less' },
  run: (contender, worker, surroundings) => run(contender, worker, surroundings, contender.name !== 'Koa + BullMQ'),
};

type Run = Scenario['run'];

async function run(...[contender, worker, { scale }, oneStep]: [...Parameters<Run>, boolean]): Promise<Figures> {
  const kept: string[] = [];
  const load = { users: USERS, connections: oneStep ? 100 : 50, oneStep };
  const warm = Math.round(4000 * Math.max(scale, 0.25));
  await reportOf(worker, 'forget');
  await send(contender.urls, { ...load, messages: warm });
  await settled(contender, worker, warm);
  const messages = Math.round(20_000 * scale);
  const before = contender.cpu();
  const begun = performance.now();
  await send(contender.urls, {
    ...load,
    messages,
    each: ({ body }, _sentAt, user) => {
      if (oneStep) mustBeWhole(body);
      const id = /"message_id":"([^"]+)"/.exec(body)?.[1] ?? '';
      if (kept.length < SAMPLES) kept.push(`/api/v1/stream?user_id=${user}&message_id=${id}`);
    },
  });
  await settled(contender, worker, warm + messages);
  const seconds = (performance.now() - begun) / 1000;
  const after = contender.cpu();
  const { calls, disordered, overlapping } = await reportOf(worker, 'forget');
  if (contender.name.includes('broker')) {
    if (disordered || overlapping) throw new Error(`${disordered} calls out of order, ${overlapping} overlapping`);
    if (calls !== warm + messages) throw new Error(`${warm + messages} messages made ${calls} calls`);
    await mustBeKept(contender, kept);
  }
  return {
    'messages/s': messages / seconds,
    'µs CPU': ((after.own - before.own) * 1000) / messages,
    'µs Redis': ((after.redis - before.redis) * 1000) / messages,
  };
}

/** `queued`, `processing`, the worker's seven, `done`. */
const EVENTS = 10;

function mustBeWhole(stream: string): void {
  const ids = stream.match(/^id: \d+$/gm) ?? [];
  const inOrder = ids.every((id, index) => id === `id: ${index + 1}`);
  if (ids.length !== EVENTS || !inOrder || !stream.includes('event: done')) throw new Error(`not whole: ${stream}`);
}

async function mustBeKept({ urls }: Contender, paths: readonly string[]): Promise<void> {
  const connection = new Connection(urls[0] ?? '');
  for (const path of paths) mustBeWhole((await connection.send(get(path))).body);
  connection.close();
}
