import { createParser } from 'eventsource-parser';
import { direct, embedded, onRedis } from '../contenders.ts';
import { read } from '../http.ts';
import { mustBeWhole } from '../load.ts';
import { Reply } from '../reply.ts';
import { each, type Run, type Scenario } from '../scenario.ts';

const DIRECT = 'the worker, read directly';
const HEADERS = { 'content-type': 'application/json', accept: 'text/event-stream' };
const eventsOf = (scale: number) => Math.round(200_000 * scale);

/** `others`: events that come beside the worker's own. */
function of(path: string, others: number, check: (url: string, id: string, events: number) => Promise<void>): Run {
  return async ({ children, cpu }, _worker, scale) => {
    const url = children[0]?.url ?? '';
    const events = eventsOf(scale);
    await follow(`${url}${path}`, Math.round(events / 4));
    const before = cpu();
    const readerBefore = process.cpuUsage();
    const begun = performance.now();
    const { count, id } = await follow(`${url}${path}`, events);
    const seconds = (performance.now() - begun) / 1000;
    const after = cpu();
    const reader = process.cpuUsage(readerBefore);
    if (count !== events + others) throw new Error(`${count} events came of ${events + others}`);
    await check(url, id, events);
    return {
      'events/s': events / seconds,
      'µs CPU': ((after.own - before.own) * 1000) / events,
      'µs CPU of the reader': (reader.user + reader.system) / events,
    };
  };
}

/** Asks for so many events, and reads each of them as the broker's client does: they must come in order, each once. */
async function follow(url: string, events: number): Promise<{ readonly count: number; readonly id: string }> {
  let count = 0;
  let first = '';
  const reply = new Reply();
  const parser = createParser({
    onEvent: ({ data }) => {
      first ||= data;
      count += 1;
      reply.take(data);
    },
  });
  const message = { user_id: 'reader', client_id: 'web', org: 'unfoldingWord', org_id: 'unfoldingWord' };
  const body = JSON.stringify({ ...message, message: `1 ${events} 50` });
  const response = await fetch(url, { method: 'POST', headers: HEADERS, body });
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk, { stream: true }));
  reply.mustBe(events);
  return { count, id: /"message_id":"([^"]+)"/.exec(first)?.[1] ?? '' };
}

/** One long stream. */
export const relay: Scenario = {
  name: 'relay',
  title: 'Relay: one stream of 200,000 events of 50 bytes, read event by event, each readable again later',
  target: 'at least 0.4 of reading the worker directly',
  entries: [
    ...each(
      { [DIRECT]: direct },
      of('/api/v1/chat/stream', 0, async () => {}),
    ),
    ...each(
      { 'broker on Redis': onRedis(), 'broker, embedded': embedded() },
      of('/api/v1/message', 3, async (url, id, events) => {
        mustBeWhole((await read(url, `/api/v1/stream?user_id=reader&message_id=${id}`)).body, events);
      }),
    ),
  ],
  compared: { figures: ['events/s'], how: 'ratio', with: DIRECT },
};
