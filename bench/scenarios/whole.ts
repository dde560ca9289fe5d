import { bullmq, type Contender, embedded, onRedis } from '../contenders.ts';
import { read } from '../http.ts';
import { mustBeWhole, mustHaveCalled, reportOf, send, settled } from '../load.ts';
import { each, type Figures, type Run, type Scenario } from '../scenario.ts';

const BULLMQ = 'Koa + BullMQ, no order, no events';
const BROKERS = {
  'broker on Redis': onRedis(),
  'broker, embedded': embedded(),
  'two brokers on one Redis': onRedis({}, 2),
};
const EVENTS = 7;
/** So many messages are looked at afterwards, whether all of their events are kept. */
const SAMPLES = 50;

/** From `POST` to the end, nobody listening. */
export const whole: Scenario = {
  name: 'whole',
  title: 'Whole way: POST, ordered worker call of 7 events, settled with its result and events kept; 1,000 users',
  target: 'at least 1.0 of the BullMQ pipeline',
  entries: [
    ...each({ [BULLMQ]: bullmq }, of({ oneStep: false, checked: false })),
    ...each(BROKERS, of({ oneStep: false })),
  ],
  compared: { figures: ['messages/s'], how: 'ratio', with: BULLMQ },
};

/** The same with a listener that reads each message to its end. */
export const listened: Scenario = {
  name: 'listened',
  title: 'Whole way with a listener: each message sent with Accept: text/event-stream and read to its end; 1,000 users',
  target: 'at least 0.6 of the BullMQ pipeline, to which nobody listens',
  entries: [
    ...each({ [BULLMQ]: bullmq }, of({ oneStep: false, checked: false })),
    ...each(BROKERS, of({ oneStep: true })),
  ],
  compared: { figures: ['messages/s'], how: 'ratio', with: BULLMQ },
};

const PACED = { calls: 500, events: 20 };

const paced: Run = async (contender, worker, scale) => {
  const messages = Math.round(5000 * scale);
  await reportOf(worker, 'forget');
  const before = contender.cpu();
  const begun = performance.now();
  await send(contender, {
    messages,
    users: 1000,
    connections: PACED.calls,
    call: `${PACED.events} 50 50`,
    oneStep: true,
    each: ({ body }) => mustBeWhole(body, PACED.events),
  });
  await settled(contender, worker, messages);
  const seconds = (performance.now() - begun) / 1000;
  const after = contender.cpu();
  await mustHaveCalled(worker, messages);
  return figures(messages, seconds, after.own - before.own, after.redis - before.redis);
};

const manyCalls = { env: { WORKER_CONCURRENCY: `${PACED.calls}` } };

/** As the engine answers: an event now and then, each written and told by itself. */
export const sizing: Scenario = {
  name: 'sizing',
  title: 'Sizing: messages of 20 events, one each 50 ms, each with a listener; 500 calls at once',
  target: 'nothing: this is what a deployment is reckoned by',
  entries: each({ 'broker on Redis': onRedis(manyCalls), 'broker, embedded': embedded(manyCalls) }, paced),
};

/** `checked`: what it does is held against the guarantees. Without it, each message is to have made its call. */
function of({ oneStep, checked = true }: { readonly oneStep: boolean; readonly checked?: boolean }): Run {
  return async (contender, worker, scale) => {
    const load = { users: 1000, connections: oneStep ? 100 : 50, oneStep };
    const warm = Math.round(10_000 * scale);
    const messages = Math.round(20_000 * scale);
    await reportOf(worker, 'forget');
    await send(contender, { ...load, messages: warm });
    await settled(contender, worker, warm);
    const kept: string[] = [];
    let answered = 0;
    const before = contender.cpu();
    const begun = performance.now();
    await send(contender, {
      ...load,
      messages,
      each: ({ body }, user) => {
        if (oneStep) mustBeWhole(body, EVENTS);
        const id = /"message_id":"([^"]+)"/.exec(body)?.[1] ?? '';
        answered += 1;
        if (answered % Math.ceil(messages / SAMPLES) === 0)
          kept.push(`/api/v1/stream?user_id=${user}&message_id=${id}`);
      },
    });
    await settled(contender, worker, warm + messages);
    const seconds = (performance.now() - begun) / 1000;
    const after = contender.cpu();
    await mustHaveCalled(worker, warm + messages, checked);
    if (checked) await mustHaveKept(contender, kept);
    return figures(messages, seconds, after.own - before.own, after.redis - before.redis);
  };
}

function figures(messages: number, seconds: number, ownMs: number, redisMs: number): Figures {
  return {
    'messages/s': messages / seconds,
    'µs CPU': (ownMs * 1000) / messages,
    'µs Redis': (redisMs * 1000) / messages,
  };
}

/** The events are there to be read again. */
async function mustHaveKept({ children }: Contender, streams: readonly string[]): Promise<void> {
  for (const path of streams) mustBeWhole((await read(children[0]?.url ?? '', path)).body, EVENTS);
}
