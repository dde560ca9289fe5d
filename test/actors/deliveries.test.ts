import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { Deliveries } from '../../src/actors/deliveries.ts';
import { Composer } from '../../src/callbacks/composer.ts';
import { writeDetails } from '../../src/callbacks/details.ts';
import { Endpoints } from '../../src/callbacks/endpoint.ts';
import { Tokens } from '../../src/callbacks/tokens.ts';
import { Metrics } from '../../src/metrics.ts';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { Hub } from '../../src/stream/hub.ts';
import { aDirectory } from '../helpers/broker.ts';
import { anEndpoint } from '../helpers/endpoint.ts';
import { aMessage, COMPLETED, claimed, settingsOf, until } from '../store/contract/kit.ts';

const TAKEN = { status: 204 };
const NOT_TAKEN = { status: 503 };

/** A gateway's message that is being answered, and the brokers that tell of it, one after the other. */
async function aToldMessage(t: ExecutionContext) {
  const endpoint = await anEndpoint(t);
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  const hub = new Hub(store);
  const endpoints = new Endpoints({ allowedHosts: new Set([endpoint.host]) });
  let deliveries: Deliveries | undefined;
  t.teardown(async () => {
    await deliveries?.stop(0);
    await endpoints.close();
    hub.close();
    await store.close();
  });
  const details = { kind: 'engine', user_id: 'u', message_key: 'k', mode: 'iteration', throttle_seconds: 3 } as const;
  const callback = { url: endpoint.url, from: 'start', details: writeDetails({ ...details, key: 'plain:x' }) } as const;
  await store.enqueue(aMessage('u', { callback }));
  const claim = await claimed(store, 'u');
  let { last } = claim;
  const append = async (...events: readonly object[]) => {
    const said = events.map((event) => ({ name: '', data: JSON.stringify(event) }));
    await store.append(claim, last, said);
    last += said.length;
  };
  return {
    endpoint,
    /** The worker says something and uses a tool. */
    iteration: (text: string) => append({ type: 'progress', text }, { type: 'tool_use', tool: 'a', input: {} }),
    end: async (text: string) => {
      await append({ type: 'progress', text }, { type: 'complete', response: { responses: [text] } });
      await store.settle(claim, last, [], COMPLETED, false);
    },
    /** From now on it is another broker that makes the callbacks. */
    handOver: async () => {
      await deliveries?.stop(60_000);
      deliveries = new Deliveries({
        outbox: store.outbox,
        composer: new Composer({ store, hub, rewrite: (fields) => fields }),
        endpoints,
        tokens: new Tokens([]),
        metrics: new Metrics(),
        log: pino({ level: 'silent' }),
        secret: undefined,
        retryMs: 60_000,
        leaseMs: 60_000,
      });
      const [destination] = await until(async () => {
        const { destinations } = await store.sweep(0);
        return destinations.length > 0 && destinations;
      });
      if (destination) deliveries.hint(destination);
    },
    /** What came in, once the end has. */
    heard: async () => {
      await endpoint.until(() => endpoint.calls.some(({ body }) => body['type'] === 'complete'));
      return endpoint.calls.map(({ body }) => `${body['type']}: ${body['text']}`);
    },
  };
}

test('who takes a callback over tells what was not told yet, and nothing twice', async (t) => {
  const { endpoint, iteration, end, handOver, heard } = await aToldMessage(t);
  await handOver();
  await iteration('One.');
  await endpoint.until(() => endpoint.calls.length === 1);
  await handOver();
  await iteration('Two.');
  await end('Three.');
  t.deepEqual(await heard(), ['progress: One.', 'progress: Two.', 'complete: Three.']);
});

test('what a broker told in vain comes with the end, whichever broker tells that', async (t) => {
  const { endpoint, iteration, end, handOver, heard } = await aToldMessage(t);
  await handOver();
  await iteration('One.');
  await endpoint.until(() => endpoint.calls.length === 1);
  endpoint.respond = () => NOT_TAKEN;
  await iteration('Two.');
  await endpoint.until(() => endpoint.calls.length === 2);
  endpoint.respond = () => TAKEN;
  await handOver();
  await iteration('Three.');
  await end('Four.');
  t.deepEqual(await heard(), ['progress: One.', 'progress: Two.', 'complete: Two.Three.Four.']);
});
