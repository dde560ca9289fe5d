import { Writable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { startBroker } from '../../src/broker.ts';
import { readConfig } from '../../src/config.ts';
import { aStore, aWorker, STORES, type StoreKind } from '../helpers/broker.ts';
import { aBody, Client, theEnd } from '../helpers/client.ts';
import { anEndpoint } from '../helpers/endpoint.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACE = { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01`, tracestate: 'congo=t61rcWkgMzE' };

async function aSystemWithLog(t: ExecutionContext, kind: StoreKind) {
  const [worker, endpoint] = [await aWorker(t, { apiKey: 'secret-worker-key' }), await anEndpoint(t)];
  const lines: Record<string, unknown>[] = [];
  const sink = new Writable({
    write: (line, _encoding, written) => {
      lines.push(JSON.parse(String(line)));
      written();
    },
  });
  const config = readConfig({
    HOST: '127.0.0.1',
    PORT: '0',
    SHUTDOWN_SECONDS: '0',
    ...(await aStore(t, kind)),
    WORKER_BASE_URL: worker.url,
    WORKER_API_KEY: 'secret-worker-key',
    CALLBACK_ALLOW_HOSTS: endpoint.host,
    CALLBACK_SECRET: 'whsec_c2VjcmV0LXNpZ25pbmcta2V5LW9mLTMyLWJ5dGVzISE=',
  });
  const broker = await startBroker(config, pino({ level: 'debug' }, sink));
  t.teardown(() => broker.stop());
  return { worker, endpoint, lines, client: new Client(broker.url) };
}

for (const kind of STORES) {
  test(`${kind}: grep for a message's id tells its whole story, and nothing of what was said`, async (t) => {
    const { worker, endpoint, lines, client } = await aSystemWithLog(t, kind);
    const text = '[[status=503 failtimes=1 text="secret-reply"]] secret-question';
    const headers = { 'x-request-id': 'request-7', ...TRACE };
    const { body } = await client.post(aBody('ruth', text, { callback_url: endpoint.url }), headers);
    const id = String(body['message_id']);
    t.like(theEnd(await client.all('ruth', id)), { event: 'done' });
    await endpoint.until(() => endpoint.calls.length === 1);
    const story = () => lines.filter((line) => line['message_id'] === id);
    while (!story().some(({ msg }) => msg === 'callback delivered')) await new Promise(setImmediate);
    t.deepEqual(
      story().map(({ msg, attempt }) => [msg, attempt]),
      [
        ['accepted', undefined],
        ['dispatched', 1],
        ['retrying', 1],
        ['dispatched', 2],
        ['ended', 2],
        ['callback delivered', undefined],
      ],
    );
    for (const line of story()) t.like(line, { request_id: 'request-7', trace_id: TRACE_ID, user_id: 'ruth' });
    t.notRegex(JSON.stringify(lines), /secret|c2VjcmV0/);

    t.deepEqual(
      worker.calls.map((call) => ({
        traceparent: call.headers['traceparent'],
        tracestate: call.headers['tracestate'],
      })),
      [TRACE, TRACE],
    );
    t.like(endpoint.calls[0]?.headers, TRACE);
  });

  test(`${kind}: what is no trace context is not handed on`, async (t) => {
    const { worker, lines, client } = await aSystemWithLog(t, kind);
    for (const traceparent of [
      '',
      'x',
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      `ff-${TRACE_ID}-00f067aa0ba902b7-01`,
    ]) {
      const { body } = await client.post(aBody('ruth', 'hello'), { traceparent, tracestate: 'a=b' });
      t.like(theEnd(await client.all('ruth', String(body['message_id']))), { event: 'done' });
    }
    t.is(worker.calls.length, 4);
    for (const { headers } of worker.calls) t.false('traceparent' in headers || 'tracestate' in headers);
    t.false(lines.some((line) => 'trace_id' in line));
  });
}
