import test from 'ava';
import { parseDirectives } from '../../src/simulated-worker/directives.ts';
import { ended, lines, recordings, send, steady, withWorker } from './helpers.ts';

const KEEPALIVE = '{"type":"keepalive"}';
/** What the call says that others wait for. */
const HELD = 'held';

for (const file of [
  '02-stream-plain.txt',
  '03-stream-tools.txt',
  '09-model-failures.txt',
  '09b-queued-entry-fails.txt',
  '13-group.txt',
  '14-audio.txt',
  '15b-keepalive-queued.txt',
]) {
  test(`${file}: the same heads and the same events, byte for byte`, async (t) => {
    const all = recordings(file).filter(
      ({ request }) => request.path === '/api/v1/chat/stream' && !request.body.includes('failtimes'),
    );
    t.true(all.length > 0);
    // The recorded waits are left out, and with them what is said because of them: the order is what counts.
    const respond = ({ message }: { message: string }): object => ({
      ...parseDirectives(message).directives,
      ttft: 0,
      chunk: 0,
      hang: message === HELD,
    });
    const headers = { Authorization: 'Bearer local-engine-key' };
    for (const cut of ['none', 'random'] as const) {
      await withWorker({ cut, respond, apiKey: 'local-engine-key' }, async (worker) => {
        for (const { request, head, events } of all) {
          const leave = new AbortController();
          const n = worker.calls.length + 1;
          const queued = events[0]?.includes('Queued') === true;
          const ahead =
            queued && send(worker, { ...JSON.parse(request.body), message: HELD }, { headers, signal: leave.signal });
          if (ahead) await worker.waitForCalls(n);
          const got = await send(worker, request.body, { headers });
          leave.abort();
          if (ahead) await Promise.all([ahead, ended(worker, n)]);
          t.is(got.head, head, request.body);
          const expected = events.filter((event) => event !== KEEPALIVE);
          t.deepEqual(lines(got.body).map(steady), expected.map(steady), request.body);
          t.true(got.whole);
        }
      });
    }
  });
}
