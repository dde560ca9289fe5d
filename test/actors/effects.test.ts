import test from 'ava';
import { pino } from 'pino';
import { Effects } from '../../src/actors/effects.ts';
import { Leases } from '../../src/actors/leases.ts';
import { Slots } from '../../src/actors/slots.ts';
import { Traffic } from '../../src/actors/traffic.ts';
import { WorkerHealth } from '../../src/actors/worker-health.ts';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { Worker } from '../../src/worker/worker.ts';
import { aDirectory } from '../helpers/broker.ts';
import { aMessage, settingsOf } from '../store/contract/kit.ts';

test('abandoned, a queue is due at once, and its slot and its lease are free', async (t) => {
  const settings = settingsOf();
  const store = new EmbeddedStore(aDirectory(t), settings);
  const log = pino({ level: 'silent' });
  const slots = new Slots(1);
  const leases = new Leases({ store, leaseMs: settings.leaseMs, log, onLost: () => {}, onCancelled: () => {} });
  const worker = new Worker({
    baseUrl: 'http://127.0.0.1:9',
    apiKey: undefined,
    connectTimeoutMs: 1000,
    idleTimeoutMs: 1000,
    timeoutMs: 1000,
  });
  const health = new WorkerHealth({ worker, slots, log });
  t.teardown(async () => {
    health.close();
    leases.close();
    await worker.close();
    await store.close();
  });
  const real = new Effects({
    store,
    worker,
    slots,
    leases,
    health,
    traffic: new Traffic(),
    log,
    maxAttempts: 3,
    deliver: () => {},
  });
  await store.enqueue(aMessage('u', { id: 'm' }));
  const { signal } = new AbortController();
  t.like(await real.claim('u', signal), { messageId: 'm', attempt: 1 });
  t.deepEqual((await store.sweep(10)).due, []);

  await real.abandon('u', new Error('broken'));
  t.deepEqual((await store.sweep(10)).due, ['u']);
  t.is(leases.take('u'), undefined);
  await slots.acquire('other', signal);
  slots.free('other');
  t.like(await real.claim('u', signal), { messageId: 'm', attempt: 1 });
  await real.abandon('u', new Error('broken again'));
  await t.notThrowsAsync(real.abandon('unknown', new Error('broken')));
});
