import test, { type ExecutionContext } from 'ava';
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
import { aLog } from '../helpers/log.ts';
import { aMessage, COMPLETED, claimed, FAILED, settingsOf, settled, until } from '../store/contract/kit.ts';

const TAKEN = { status: 204 };
const NOT_TAKEN = { status: 503 };

/** Brokers that make the callbacks of a store, one after the other. */
async function aStoreWithCallbacks(t: ExecutionContext) {
  const endpoint = await anEndpoint(t);
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  const hub = new Hub(store);
  const endpoints = new Endpoints({ allowedHosts: new Set([endpoint.host]) });
  const { log, line } = aLog();
  let deliveries: Deliveries | undefined;
  t.teardown(async () => {
    await deliveries?.stop(0);
    await endpoints.close();
    hub.close();
    await store.close();
  });
  return {
    endpoint,
    store,
    line,
    /** From now on it is another broker that makes the callbacks. */
    handOver: async () => {
      await deliveries?.stop(60_000);
      deliveries = new Deliveries({
        outbox: store.outbox,
        composer: new Composer({ store, hub, rewrite: (fields) => fields }),
        endpoints,
        tokens: new Tokens([]),
        metrics: new Metrics(),
        log,
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
  };
}

/** A gateway's message that is being answered. */
async function aToldMessage(t: ExecutionContext) {
  const { endpoint, store, handOver } = await aStoreWithCallbacks(t);
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
    handOver,
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

test('of a callback that is left a line tells which message it is of, and whose', async (t) => {
  const { endpoint, store, handOver, line } = await aStoreWithCallbacks(t);
  const details = writeDetails({ kind: 'result', user_id: 'naomi', client_message_id: null });
  const trace = { requestId: 'r', userId: 'naomi' };
  const message = aMessage('u', { trace, callback: { url: endpoint.url, from: 'end', details } });
  await store.enqueue(message);
  await settled(store, 'u', FAILED);
  // Put back, it is to be called back with another end than the one that is just being told.
  endpoint.respond = () => {
    void store.requeue('u', message.id);
    return TAKEN;
  };
  await handOver();
  const left = await line(({ msg }) => msg === 'a callback was left for now');
  t.like(left, { level: 40, request_id: 'r', message_id: message.id, user_id: 'naomi', queue: 'u' });
});
