import test from 'ava';
import { parseDirectives } from '../../src/simulated-worker/directives.ts';
import { lines, recordings, send, withWorker } from './helpers.ts';

/** What differs from run to run: ids, the address, and the long text of one tool. */
const steady = (line: string): string =>
  line
    .replace(/req_fake_\d+/g, 'req_fake_N')
    .replace(/http:\/\/[^/"]+/g, 'http://ORIGIN')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replace(/(Audio response requested\. Your text response will be converted to speech\.)[^]*"\}/, '$1"}');

for (const file of [
  '02-stream-plain.txt',
  '03-stream-tools.txt',
  '09-model-failures.txt',
  '13-group.txt',
  '14-audio.txt',
]) {
  test(`${file}: the same heads and the same events, byte for byte`, async (t) => {
    const all = recordings(file).filter(
      ({ request, events }) =>
        request.path === '/api/v1/chat/stream' && !request.body.includes('failtimes') && !events[0]?.includes('Queued'),
    );
    t.true(all.length > 0);
    // The recorded waits are left out: the order is what counts.
    const respond = ({ message }: { message: string }): object => ({
      ...parseDirectives(message).directives,
      ttft: 0,
      chunk: 0,
    });
    for (const cut of ['none', 'random'] as const) {
      await withWorker({ cut, respond, apiKey: 'local-engine-key' }, async (worker) => {
        for (const { request, head, events } of all) {
          const got = await send(worker, request.body, { headers: { Authorization: 'Bearer local-engine-key' } });
          t.is(got.head, head, request.body);
          t.deepEqual(lines(got.body).map(steady), events.map(steady), request.body);
          t.true(got.whole);
        }
      });
    }
  });
}
