import { direct, embedded, onRedis } from '../contenders.ts';
import { type Answer, Connection, read } from '../http.ts';
import { aCall, aRequest, mustBeWhole } from '../load.ts';
import { each, type Run, type Scenario } from '../scenario.ts';

const DIRECT = 'the worker, read directly';
const eventsOf = (scale: number) => Math.round(200_000 * scale);

function of(
  request: (call: string) => Buffer,
  check: (answer: Answer, events: number, url: string) => Promise<void>,
): Run {
  return async ({ children, cpu }, _worker, scale) => {
    const url = children[0]?.url ?? '';
    const connection = new Connection(url);
    const events = eventsOf(scale);
    await connection.send(request(`${Math.round(events / 4)} 50`));
    const before = cpu();
    const begun = performance.now();
    const answer = await connection.send(request(`${events} 50`));
    const seconds = (performance.now() - begun) / 1000;
    const after = cpu();
    connection.close();
    await check(answer, events, url);
    return { 'events/s': events / seconds, 'µs CPU': ((after.own - before.own) * 1000) / events };
  };
}

/** One long stream. */
export const relay: Scenario = {
  name: 'relay',
  title: 'Relay: one stream of 200,000 events of 50 bytes, each readable again later',
  target: 'at least 0.4 of reading the worker directly',
  entries: [
    ...each(
      { [DIRECT]: direct },
      of(
        (call) => aCall('reader', call),
        async () => {},
      ),
    ),
    ...each(
      { 'broker on Redis': onRedis(), 'broker, embedded': embedded() },
      of(
        (call) => aRequest('reader', call, true),
        async ({ body }, events, url) => {
          mustBeWhole(body, events);
          const id = /"message_id":"([^"]+)"/.exec(body)?.[1] ?? '';
          mustBeWhole((await read(url, `/api/v1/stream?user_id=reader&message_id=${id}`)).body, events);
        },
      ),
    ),
  ],
  compared: { figure: 'events/s', how: 'ratio', with: DIRECT },
};
