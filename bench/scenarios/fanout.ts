import { embedded, onRedis } from '../contenders.ts';
import { Connection, read } from '../http.ts';
import { aRequest, mustBeWhole } from '../load.ts';
import { each, type Run, type Scenario } from '../scenario.ts';

const LISTENERS = 1000;

/** So many events of the worker for `ms` each: 0 sends them at once. */
function of(events: number, ms: number): Run {
  return async ({ children, cpu }, _worker, scale) => {
    const url = children[0]?.url ?? '';
    const listeners = Math.round(LISTENERS * Math.max(scale, 0.2));
    const sender = new Connection(url);
    // The first event is held back until all have come.
    const { body } = await sender.send(aRequest('speaker', `${events} 50 ${ms} 3000`));
    sender.close();
    const id = /"message_id":"([^"]+)"/.exec(body)?.[1] ?? '';
    const path = `/api/v1/stream?user_id=speaker&message_id=${id}`;
    const before = cpu();
    const heard = await Promise.all(Array.from({ length: listeners }, () => read(url, path)));
    const after = cpu();
    for (const answer of heard) mustBeWhole(answer.body, events);
    return { 'µs CPU per delivered event': ((after.own - before.own) * 1000) / (listeners * events) };
  };
}

/** Many listeners on one message. */
export const fanout: Scenario = {
  name: 'fanout',
  title: 'Fan-out: 1,000 listeners on one message, their coming and going included',
  target: 'at most 3 µs CPU per delivered event',
  entries: [
    ...each({ 'Redis, 2,000 events at once': onRedis(), 'embedded, 2,000 events at once': embedded() }, of(2000, 0)),
    ...each(
      { 'Redis, 200 events, one each 20 ms': onRedis(), 'embedded, 200 events, one each 20 ms': embedded() },
      of(200, 20),
    ),
  ],
};
