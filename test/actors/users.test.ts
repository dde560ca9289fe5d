import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { queryObjects } from 'node:v8';
import test from 'ava';
import { pino } from 'pino';
import { Actor } from 'xstate';
import type { Outcome } from '../../machines/events.ts';
import { Effects } from '../../src/actors/effects.ts';
import { Leases } from '../../src/actors/leases.ts';
import { Slots } from '../../src/actors/slots.ts';
import { Turn } from '../../src/actors/turn.ts';
import { type UserEffects, Users } from '../../src/actors/users.ts';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { Hub } from '../../src/stream/hub.ts';
import { Worker } from '../../src/worker/worker.ts';

const COMPLETED: Outcome = { status: 'completed' };

function aTurn(queue: string, token = 1): Turn {
  return new Turn({ queue, messageId: `${queue}-${token}`, token, attempt: 1, payload: '{}', last: 1, queuedAt: 0 });
}

/** Never comes to an end by itself; rejects when its state is left. */
function untilLeft(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

/** Effects of users whose queues are empty, but for what a test gives. */
function effects(given: Partial<UserEffects> = {}): UserEffects {
  return {
    claim: async () => undefined,
    open: async (claim) => ({ type: 'opened', call: { attempt: claim.attempt } }),
    backOff: (_claim, _delayMs, _reason, signal) => untilLeft(signal),
    relay: async () => COMPLETED,
    settle: async () => ({ next: undefined, waiting: false }),
    release: async () => {},
    freeSlot: () => {},
    reportFault: () => {},
    abandon: async () => {},
    ...given,
  };
}

/** A count that can be waited for. */
class Count {
  #value = 0;
  readonly #waiting = new Set<{ readonly value: number; readonly resolve: () => void }>();

  get value(): number {
    return this.#value;
  }

  add(): number {
    this.#value += 1;
    for (const { value, resolve } of this.#waiting) if (this.#value >= value) resolve();
    return this.#value;
  }

  reaches(value: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add({ value, resolve });
    if (this.#value >= value) resolve();
    return promise;
  }
}

test.serial('5,000 users come, work and go, and leave nothing behind', async (t) => {
  const before = queryObjects(Actor, { format: 'count' });
  const gone = new Count();
  const queues = Array.from({ length: 5000 }, (_, index) => `u${index}`);
  const waiting = new Set(queues);
  const claim = async (queue: string) => (waiting.delete(queue) ? aTurn(queue) : undefined);
  const users = new Users(effects({ claim }), () => gone.add());
  for (const queue of queues) users.hint(queue);
  t.is(users.size, 5000);
  await gone.reaches(5000);
  t.is(users.size, 0);
  t.is(waiting.size, 0);
  t.is(queryObjects(Actor, { format: 'count' }) - before, 1, 'of all actors the supervisor alone is left');
  await users.drain(1000);
});

test('a hint that comes while its user retires makes a new one look', async (t) => {
  const claims = new Count();
  const users = new Users(
    effects({
      claim: async () => {
        claims.add();
        return undefined;
      },
    }),
    () => {
      if (claims.value < 3) users.hint('u');
    },
  );
  users.hint('u');
  await claims.reaches(3);
  t.is(users.state('u'), 'dispatching');
  await users.drain(1000);
  t.is(users.size, 0);
});

test('a hint that comes as its user goes idle makes it look again', async (t) => {
  const claims = new Count();
  const users = new Users(
    effects({
      claim: async () => {
        claims.add();
        return undefined;
      },
      freeSlot: (queue) => {
        if (claims.value && claims.value < 3) users.hint(queue);
      },
    }),
    () => {},
  );
  users.hint('u');
  await claims.reaches(3);
  await users.drain(1000);
  t.is(users.size, 0);
});

test('a queue never has two users, however often it is hinted at', async (t) => {
  let live = 0;
  let most = 0;
  const claims = new Count();
  const users = new Users(
    effects({
      claim: async (queue) => {
        live += 1;
        most = Math.max(most, live);
        for (let hints = 0; hints < 3; hints += 1) users.hint(queue);
        await Promise.resolve();
        live -= 1;
        return claims.add() % 3 ? undefined : aTurn(queue);
      },
      relay: async ({ queue }) => {
        users.hint(queue);
        return COMPLETED;
      },
      freeSlot: (queue) => {
        if (claims.value && claims.value < 50) users.hint(queue);
      },
    }),
    () => {
      if (claims.value < 50) users.hint('u');
    },
  );
  users.hint('u');
  await claims.reaches(50);
  t.is(most, 1);
  t.is(users.size, 1);
  await users.drain(1000);
});

test('a user that breaks costs nobody else anything, and the next hint wakes its queue again', async (t) => {
  const abandoned: { queue: string; error: unknown }[] = [];
  const claims = new Count();
  let broken = true;
  const fault = new Error('a slot that cannot be freed');
  const users = new Users(
    effects({
      claim: async () => {
        claims.add();
        return undefined;
      },
      freeSlot: (queue) => {
        if (broken && queue === 'bad.user') throw fault;
      },
      abandon: async (queue, error) => {
        abandoned.push({ queue, error });
      },
    }),
    () => {},
  );
  users.hint('bad.user');
  t.deepEqual(abandoned, [{ queue: 'bad.user', error: fault }]);
  t.is(users.size, 0);
  t.is(users.state('bad.user'), undefined);

  users.hint('good.user');
  await claims.reaches(1);
  broken = false;
  users.hint('bad.user');
  await claims.reaches(2);
  t.is(abandoned.length, 1);
  await users.drain(1000);
  t.is(users.size, 0);
});

test('the effects of a user that breaks are broken off', async (t) => {
  const relays = new Count();
  const left = Promise.withResolvers<void>();
  let broken = false;
  const users = new Users(
    effects({
      claim: async (queue) => aTurn(queue),
      relay: async (_claim, signal) => {
        signal.addEventListener('abort', () => left.resolve());
        relays.add();
        return untilLeft(signal);
      },
      freeSlot: () => {
        if (broken) throw new Error('a slot that cannot be freed');
      },
    }),
    () => {},
  );
  users.hint('u');
  await relays.reaches(1);
  t.is(users.state('u'), 'streaming');
  broken = true;
  users.claimLost('u', 1);
  await left.promise;
  t.is(users.size, 0);
  await users.drain(1000);
});

test('an effect that throws before it begins is a fault like any other', async (t) => {
  const faults: unknown[] = [];
  const gone = new Count();
  const fault = new Error('no effect');
  const users = new Users(
    effects({
      claim: () => {
        throw fault;
      },
      reportFault: (_queue, error) => faults.push(error),
      abandon: () => t.fail('its user did not break'),
    }),
    () => gone.add(),
  );
  users.hint('u');
  await gone.reaches(1);
  t.deepEqual(faults, [fault]);
  t.is(users.size, 0);
});

test('a user that breaks while draining does not keep the broker', async (t) => {
  const relays = new Count();
  let broken = false;
  const users = new Users(
    effects({
      claim: async (queue) => aTurn(queue),
      relay: (_claim, signal) => {
        relays.add();
        return untilLeft(signal);
      },
      freeSlot: () => {
        if (broken) throw new Error('a slot that cannot be freed');
      },
    }),
    () => {},
  );
  users.hint('u');
  await relays.reaches(1);
  const drained = users.drain(60_000);
  broken = true;
  users.claimLost('u', 1);
  await drained;
  t.is(users.size, 0);
});

test('draining lets the call in hand finish and claims nothing more', async (t) => {
  const relays = new Count();
  const call = Promise.withResolvers<Outcome>();
  const settled: unknown[] = [];
  const users = new Users(
    effects({
      claim: async (queue) => aTurn(queue),
      relay: () => {
        relays.add();
        return call.promise;
      },
      settle: async (claim, outcome, proceed) => {
        settled.push([claim.messageId, outcome, proceed]);
        return { next: undefined, waiting: true };
      },
      release: async () => t.fail('nothing was to be handed over'),
    }),
    () => {},
  );
  users.hint('u');
  await relays.reaches(1);
  const drained = users.drain(60_000);
  users.hint('u');
  users.hint('other');
  t.is(users.size, 1);
  call.resolve(COMPLETED);
  await drained;
  t.deepEqual(settled, [['u-1', COMPLETED, false]]);
  t.is(relays.value, 1);
});

test('draining breaks off what takes too long and hands it over', async (t) => {
  const relays = new Count();
  const released: string[] = [];
  const users = new Users(
    effects({
      claim: async (queue) => aTurn(queue),
      relay: (_claim, signal) => {
        relays.add();
        return untilLeft(signal);
      },
      release: async (claim) => {
        released.push(claim.messageId);
      },
    }),
    () => {},
  );
  users.hint('a');
  users.hint('b');
  await relays.reaches(2);
  await users.drain(1);
  t.deepEqual(released, ['a-1', 'b-1']);
  t.is(users.size, 0);
});

test('drained, whatever still comes is harmless', async (t) => {
  const users = new Users(effects({ claim: async () => t.fail('nothing was to be claimed') }), () => {});
  await users.drain(60_000);
  users.hint('u');
  users.claimLost('u', 1);
  await users.drain(60_000);
  t.is(users.size, 0);
  t.is(users.state('u'), undefined);
});

test('abandoned, a queue is due at once, and its slot and its lease are free', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'users-'));
  const settings = { brokerId: 'b', leaseMs: 60_000, maxQueueLength: 5, retentionMs: 1000, deduplicationMs: 1000 };
  const store = new EmbeddedStore(directory, settings);
  const log = pino({ level: 'silent' });
  const slots = new Slots(1);
  const leases = new Leases({ store, leaseMs: settings.leaseMs, log, onLost: () => {} });
  const worker = new Worker({
    baseUrl: 'http://127.0.0.1:9',
    apiKey: undefined,
    connectTimeoutMs: 1000,
    idleTimeoutMs: 1000,
    timeoutMs: 1000,
  });
  t.teardown(async () => {
    leases.close();
    await worker.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const real = new Effects({ store, worker, hub: new Hub(store), slots, leases, log, maxAttempts: 3 });
  await store.enqueue({ id: 'm', queue: 'u', payload: '{}', deduplicationKeys: [] });
  const { signal } = new AbortController();
  t.like(await real.claim('u', signal), { messageId: 'm', attempt: 1 });
  t.deepEqual((await store.sweep(10)).due, []);

  await real.abandon('u', new Error('broken'));
  t.deepEqual((await store.sweep(10)).due, ['u']);
  t.is(leases.take('u'), undefined);
  await slots.acquire('other', signal);
  slots.free('other');
  t.like(await real.claim('u', signal), { messageId: 'm', attempt: 2 });
  await real.abandon('u', new Error('broken again'));
  await t.notThrowsAsync(real.abandon('unknown', new Error('broken')));
});
