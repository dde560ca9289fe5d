import { direct, embedded, onRedis } from '../contenders.ts';
import { Connection } from '../http.ts';
import { aCall, aRequest, mustBeReply, mustBeWhole } from '../load.ts';
import { each, type Run, type Scenario } from '../scenario.ts';

const DIRECT = 'the worker, called directly';

/** What each message asks of the worker: so many events, of 50 bytes. */
const EVENTS = 7;
const CALL = `${EVENTS} 50`;

/** One request after the other, each until its end, which must have all of the reply. */
function of(request: (user: string) => Buffer, check: (body: string, events: number) => void): Run {
  return async ({ children }, _worker, scale) => {
    const connection = new Connection(children[0]?.url ?? '');
    const warm = Math.round(2000 * scale);
    const waits: number[] = [];
    for (let i = 0; i < warm + Math.round(5000 * scale); i += 1) {
      const sentAt = performance.now();
      const { status, body, firstEventAt } = await connection.send(request(`user-${i % 100}`));
      if (status !== 200 || !firstEventAt) throw new Error(`answered ${status}: ${body}`);
      check(body, EVENTS);
      if (i >= warm) waits.push(firstEventAt - sentAt);
    }
    connection.close();
    waits.sort((a, b) => a - b);
    const at = (share: number) => waits[Math.floor(waits.length * share)] ?? Number.NaN;
    return { 'ms, median': at(0.5), 'ms, p99': at(0.99) };
  };
}

/** From `POST` to the worker's first event at the listener. */
export const latency: Scenario = {
  name: 'latency',
  title: 'Added latency: POST to the first event of the worker at the listener, one user at a time',
  target: 'at most 1.0 ms more than the direct call at the median, 3 ms at p99',
  entries: [
    ...each(
      { [DIRECT]: direct },
      of((user) => aCall(user, CALL), mustBeReply),
    ),
    ...each(
      { 'broker on Redis': onRedis(), 'broker, embedded': embedded() },
      of((user) => aRequest(user, CALL, true), mustBeWhole),
    ),
  ],
  compared: { figures: ['ms, median', 'ms, p99'], how: 'difference', with: DIRECT },
};
