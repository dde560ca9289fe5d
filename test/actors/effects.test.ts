import test, { type ExecutionContext } from 'ava';
import { Effects } from '../../src/actors/effects.ts';
import { Leases } from '../../src/actors/leases.ts';
import { Slots } from '../../src/actors/slots.ts';
import { WorkerHealth } from '../../src/actors/worker-health.ts';
import { StoreUnavailable } from '../../src/errors.ts';
import { Metrics } from '../../src/metrics.ts';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import type { ClaimedMessage } from '../../src/store/store.ts';
import { Worker } from '../../src/worker/worker.ts';
import { aDirectory } from '../helpers/broker.ts';
import { aLog } from '../helpers/log.ts';
import { aScriptedWorker, COMPLETE } from '../helpers/scripted-worker.ts';
import { aMessage, settingsOf, until } from '../store/contract/kit.ts';

function someEffects(t: ExecutionContext, workerUrl = 'http://127.0.0.1:9') {
  const settings = settingsOf();
  const store = new EmbeddedStore(aDirectory(t), settings);
  const { log, lines } = aLog();
  const slots = new Slots(1);
  const leases = new Leases({
    store,
    leaseMs: settings.leaseMs,
    log,
    onLost: () => {},
    onCancelled: (turn) => turn.cancel(),
  });
  const worker = new Worker({
    baseUrl: workerUrl,
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
  const effects = new Effects({
    store,
    worker,
    slots,
    leases,
    health,
    log,
    metrics: new Metrics(),
    maxAttempts: 3,
    deliver: () => {},
  });
  return { effects, store, slots, leases, lines };
}

test('abandoned, a queue is due at once, and its slot and its lease are free', async (t) => {
  const { effects: real, store, slots, leases } = someEffects(t);
  await store.enqueue(aMessage('u', { id: 'm' }));
  const { signal } = new AbortController();
  t.like(await real.claim('u', signal), { messageId: 'm', attempt: 1 });
  t.deepEqual((await store.sweep(10)).due, []);

  await real.abandon('u', new Error('broken'));
  t.deepEqual((await store.sweep(10)).due, ['u']);
  t.is(leases.take('u'), undefined);
  await slots.acquire('other', signal);
  slots.release('other');
  t.like(await real.claim('u', signal), { messageId: 'm', attempt: 1 });
  await real.abandon('u', new Error('broken again'));
  await t.notThrowsAsync(real.abandon('unknown', new Error('broken')));
});

/** A message as it arrives, claimed by its acceptance. */
async function anArrival(store: EmbeddedStore, id: string) {
  const sentAt = performance.now();
  const accepted = await store.enqueue(aMessage('u', { id }), true);
  return { sentAt, claimed: Promise.resolve(accepted.type === 'queued' ? accepted.claimed : undefined) };
}

test('what was claimed as it arrived is not claimed again, and what was not, is looked for', async (t) => {
  const { effects, store, leases } = someEffects(t);
  const { signal } = new AbortController();
  t.like(await effects.claim('u', signal, await anArrival(store, 'm')), { messageId: 'm', attempt: 1, last: 2 });
  t.is(leases.take('u')?.messageId, 'm');
  const unclaimed = { sentAt: performance.now(), claimed: Promise.resolve(undefined) };
  t.like(await effects.claim('u', signal, unclaimed), { messageId: 'm', attempt: 2 });
});

test('what was claimed as it arrived goes back at once when its answer came late, and costs no attempt', async (t) => {
  const { effects, store } = someEffects(t);
  const { signal } = new AbortController();
  const arrival = await anArrival(store, 'm');
  const late = { ...arrival, sentAt: performance.now() - settingsOf().leaseMs };
  const turn = await effects.claim('u', signal, late);
  t.like(turn, { messageId: 'm', attempt: 1 });
  t.true((turn?.token ?? 0) > ((await arrival.claimed)?.token ?? 0), 'it was claimed anew');
});

test('what was claimed as it arrived goes back at once when nobody waits for it any more', async (t) => {
  const { effects, store, slots } = someEffects(t);
  const left = new AbortController();
  const { promise, resolve } = Promise.withResolvers<ClaimedMessage | undefined>();
  const waiting = effects.claim('u', left.signal, { sentAt: performance.now(), claimed: promise });
  left.abort(new Error('left'));
  resolve(await (await anArrival(store, 'm')).claimed);
  await t.throwsAsync(waiting, { message: 'left' });
  t.deepEqual((await store.sweep(10)).due, ['u']);
  effects.freeSlot('u');
  t.is(slots.wanted, 0);
});

test('what was claimed as it arrived waits in line when there is no slot for it', async (t) => {
  const { effects, store, slots } = someEffects(t);
  const { signal } = new AbortController();
  await slots.acquire('other', signal);
  const arrival = await anArrival(store, 'm');
  const turn = effects.claim('u', signal, arrival);
  await until(async () => slots.wanted === 2);
  t.deepEqual((await store.sweep(10)).due, []);
  slots.release('other');
  t.like(await turn, { messageId: 'm', attempt: 1, token: (await arrival.claimed)?.token });
});

test('what arrives has its slot before the store has answered, and is looked for when the answer is lost', async (t) => {
  const { effects, store, slots } = someEffects(t);
  const { signal } = new AbortController();
  const { promise, reject } = Promise.withResolvers<undefined>();
  const turn = effects.claim('u', signal, { sentAt: performance.now(), claimed: promise });
  t.is(slots.free, 0);
  t.is(slots.held, 0, 'no call is made');
  await store.enqueue(aMessage('u', { id: 'm' }));
  reject(new StoreUnavailable(new Error('no answer')));
  t.like(await turn, { messageId: 'm', attempt: 1 });
  t.is(slots.held, 1);
});

test('what has its answer too late loses its slot to who waits for one, and not its claim', async (t) => {
  const { effects, store, slots } = someEffects(t);
  const { signal } = new AbortController();
  const { promise, resolve } = Promise.withResolvers<ClaimedMessage | undefined>();
  const turn = effects.claim('u', signal, { sentAt: performance.now(), claimed: promise });
  await slots.acquire('other', signal);
  const arrival = await anArrival(store, 'm');
  resolve(await arrival.claimed);
  await until(async () => slots.wanted === 2);
  slots.release('other');
  t.like(await turn, { messageId: 'm', attempt: 1, token: (await arrival.claimed)?.token });
});

for (const [when, end] of [
  ['its queue is left', (_: Slots, left: AbortController) => left.abort(new Error('left'))],
  ['calls are stopped', (slots: Slots) => slots.allow(0)],
] as const) {
  test(`what waits in line with its claim gives it back when ${when}`, async (t) => {
    const { effects, store, slots, leases } = someEffects(t);
    const left = new AbortController();
    await slots.acquire('other', left.signal);
    const claim = effects.claim('u', left.signal, await anArrival(store, 'm'));
    await until(async () => slots.wanted === 2);
    end(slots, left);
    await until(async () => (await store.sweep(10)).due.includes('u'));
    t.is(leases.take('u'), undefined);
    left.abort(new Error('left'));
    await t.throwsAsync(claim, { message: 'left' });
    t.is((await store.message('u', 'm'))?.attempts, 0);
  });
}

test('who waited in line for a slot and has left claims nothing', async (t) => {
  const { effects, store, slots } = someEffects(t);
  const left = new AbortController();
  await slots.acquire('other', left.signal);
  await store.enqueue(aMessage('u', { id: 'm' }));
  const claim = effects.claim('u', left.signal);
  await until(async () => slots.wanted === 2);
  slots.release('other');
  left.abort(new Error('left'));
  effects.freeSlot('u');
  await t.throwsAsync(claim, { message: 'left' });
  t.is((await store.message('u', 'm'))?.status, 'queued');
  t.is(slots.wanted, 0);
});

test('a message that was cancelled while it backed off is not called again, though nothing of it was heard', async (t) => {
  const { effects, store, slots } = someEffects(t);
  const { signal } = new AbortController();
  await store.enqueue(aMessage('u', { id: 'm' }));
  const turn = await effects.claim('u', signal);
  if (!turn) return t.fail();
  effects.freeSlot('u');
  await slots.acquire('other', signal);
  const backedOff = effects.backOff(turn, 0, 'the worker is busy', signal);
  await until(async () => slots.wanted === 2);
  t.deepEqual(await store.cancel('u', 'm'), { type: 'cancelling' });
  slots.release('other');
  const next = await backedOff;
  if (!next) return t.fail();
  t.like(await effects.open(next, signal, () => true), {
    type: 'settled',
    outcome: { status: 'cancelled' },
    next: undefined,
  });
  t.like(await store.message('u', 'm'), { status: 'cancelled', attempts: 2 });
});

/** A message whose call is open, with another one waiting behind it. */
async function anOpenCall(t: ExecutionContext) {
  const worker = await aScriptedWorker(t);
  const parts = someEffects(t, worker.url);
  for (const id of ['m', 'n']) await parts.store.enqueue(aMessage('u', { id }));
  const left = new AbortController();
  const turn = await parts.effects.claim('u', left.signal);
  if (!turn) throw new Error('nothing was claimed');
  const opened = parts.effects.open(turn, left.signal, () => true);
  const call = await worker.call(1);
  call.say({ type: 'status', message: 'Working' });
  t.like(await opened, { type: 'opened' });
  return { ...parts, turn, call, left };
}

test('a message is gone on from as it ends, if calls still go on then', async (t) => {
  for (const proceeds of [true, false]) {
    const { effects, store, turn, call, left } = await anOpenCall(t);
    let goesOn = true;
    const relayed = effects.relay(turn, left.signal, () => goesOn);
    goesOn = proceeds;
    call.say(COMPLETE);
    call.end();
    const { outcome, next, waiting } = await relayed;
    t.deepEqual([outcome, next?.messageId, waiting], [{ status: 'completed' }, proceeds ? 'n' : undefined, true]);
    t.like(await store.message('u', 'n'), { status: proceeds ? 'processing' : 'queued' });
  }
});

test('the same when it ends without a call', async (t) => {
  for (const proceeds of [true, false]) {
    const { effects, store } = someEffects(t);
    for (const id of ['m', 'n']) await store.enqueue(aMessage('u', { id }));
    const { signal } = new AbortController();
    const turn = await effects.claim('u', signal);
    turn?.cancel();
    if (!turn) return t.fail();
    const opening = await effects.open(turn, signal, () => proceeds);
    t.like(opening, { type: 'settled', outcome: { status: 'cancelled' }, waiting: true });
    t.like(await store.message('u', 'n'), { status: proceeds ? 'processing' : 'queued' });
  }
});

test('of a call that is left nothing is settled, and its slot is not touched', async (t) => {
  const { effects, store, slots, turn, call, left } = await anOpenCall(t);
  const relayed = effects.relay(turn, left.signal, () => true);
  left.abort(new Error('left'));
  await call.over;
  await t.throwsAsync(relayed, { message: 'left' });
  t.like(await store.message('u', 'm'), { status: 'processing' });
  t.is(slots.held, 1);
});

test('who waits for what is under way hears of its end, whoever else does', async (t) => {
  const { effects, turn } = await anOpenCall(t);
  await effects.finished();
  const order: string[] = [];
  const note = (what: string, of: Promise<void>) => of.then(() => order.push(what));
  const released = note('released', effects.release(turn));
  await Promise.all([released, note('heard', effects.finished()), note('heard', effects.finished())]);
  t.deepEqual(order, ['released', 'heard', 'heard']);
});

test('of a queue that is left, or whose actor broke, a line tells which message was in hand, and whose', async (t) => {
  const { effects, store, lines } = someEffects(t);
  await store.enqueue(aMessage('u', { id: 'm', trace: { requestId: 'r', userId: 'naomi' } }));
  const claim = await effects.claim('u', new AbortController().signal);
  effects.reportFault('u', claim, new Error('a fault'));
  await effects.abandon('u', new Error('broken'));
  const told = lines.filter(({ msg }) => msg !== 'the worker does not answer');
  t.deepEqual(
    told.map(({ msg }) => msg),
    ['a queue was left for now', "a queue's actor broke", 'handed over'],
  );
  const known = { request_id: 'r', message_id: 'm', user_id: 'naomi', queue: 'u', attempt: 1 };
  for (const line of told) t.like(line, known);
  effects.reportFault('u', undefined, new Error('a fault'));
  t.like(lines.at(-1), { queue: 'u', msg: 'a queue was left for now' });
});
