import { type Contender, echo, embedded, onRedis, type Start } from '../contenders.ts';
import { send, unsettled } from '../load.ts';
import type { Scenario } from '../scenario.ts';

/** No call is made but one, which stays open: what is measured is the way into the queue. */
const HELD = { WORKER_CONCURRENCY: '1', WORKER_IDLE_TIMEOUT_SECONDS: '3600', WORKER_TIMEOUT_SECONDS: '3600' };
const held =
  (start: Start): Start =>
  (worker) =>
    start(worker, HELD);

/** `POST /api/v1/message`, durable before the answer. */
export const accept: Scenario = {
  name: 'accept',
  title: 'Accept: POST /api/v1/message, durable before the answer; 50 connections, 1,000 users, no call made',
  contenders: [echo, held(onRedis), held(embedded)],
  baseline: 'bare Koa',
  figures: { 'messages/s': 'more', 'µs CPU': 'less', 'µs Redis': 'less' },
  async run(contender, _worker, { scale }) {
    const load = { users: 1000, connections: 50, call: '2 50 3600000' };
    await send(contender.urls, { ...load, messages: 5000 });
    const messages = Math.round(60_000 * scale);
    const before = contender.cpu();
    const begun = performance.now();
    await send(contender.urls, { ...load, messages });
    const seconds = (performance.now() - begun) / 1000;
    const after = contender.cpu();
    if (contender.name !== 'bare Koa') await mustWait(contender, messages + 5000);
    return {
      'messages/s': messages / seconds,
      'µs CPU': ((after.own - before.own) * 1000) / messages,
      'µs Redis': ((after.redis - before.redis) * 1000) / messages,
    };
  },
};

async function mustWait(contender: Contender, messages: number): Promise<void> {
  const waiting = await unsettled(contender);
  if (waiting !== messages) throw new Error(`${contender.name} accepted ${messages} messages and holds ${waiting}`);
}
