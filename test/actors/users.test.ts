import { mock } from 'node:test';
import { queryObjects } from 'node:v8';
import test from 'ava';
import { Actor, type InspectionEvent } from 'xstate';
import { Turn } from '../../src/actors/turn.ts';
import { type UserEffects, Users } from '../../src/actors/users.ts';
import type { ClaimedMessage } from '../../src/store/store.ts';
import { aTurn, Count, effects, SETTLED, untilLeft } from './helpers.ts';

test.serial('5,000 users come, work and go, and leave nothing behind', async (t) => {
  const before = queryObjects(Actor, { format: 'count' });
  const gone = new Count();
  const queues = Array.from({ length: 5000 }, (_, index) => `u${index}`);
  const waiting = new Set(queues);
  const claim = async (queue: string) => (waiting.delete(queue) ? aTurn(queue) : undefined);
  const users = new Users(effects({ claim }), () => gone.add(), {}, 0);
  for (const queue of queues) users.hint(queue);
  t.is(users.size, 5000);
  await gone.reaches(5000);
  t.is(users.size, 0);
  t.is(waiting.size, 0);
  t.is(queryObjects(Actor, { format: 'count' }) - before, 1, 'of all actors the supervisor alone is left');
  await users.drain(1000);
});

test('no event of the supervisor is named after a user: XState keeps something for each name it has ever heard', async (t) => {
  const types = new Set<string>();
  const idle = new Count();
  const inspect = (told: InspectionEvent) => {
    if (told.type === '@xstate.event') types.add(told.event.type);
  };
  const users = new Users(effects(), () => idle.add(), { inspect }, 0);
  for (const queue of ['ruth', 'boaz', 'naomi']) users.hint(queue);
  await idle.reaches(3);
  await users.drain(1000);
  t.true(types.has('xstate.done.actor.user'));
  for (const type of types) t.notRegex(type, /ruth|boaz|naomi/);
});

test('an idle user rests, in case there is work again soon, and no more than may do so at once', async (t) => {
  const idle = new Count();
  const users = new Users(effects(), () => idle.add(), {}, 2);
  for (const queue of ['a', 'b', 'a', 'c']) {
    const before = idle.value;
    users.hint(queue);
    t.is(users.state(queue), 'dispatching');
    await idle.reaches(before + 1);
  }
  t.like(users.states, { idle: 2, claiming: 0 });
  t.is(users.size, 2);
  t.is(users.busy, 0);
  await users.drain(1000);
  t.is(users.size, 0);
});

test.serial('a user that has rested for two seconds goes', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.teardown(() => mock.timers.reset());
  const idle = new Count();
  const clock = mock.method(performance, 'now', () => 1000);
  t.teardown(() => clock.mock.restore());
  const users = new Users(effects(), () => idle.add());
  users.hint('u');
  await idle.reaches(1);
  clock.mock.mockImplementation(() => 2999);
  mock.timers.tick(500);
  t.is(users.size, 1);
  clock.mock.mockImplementation(() => 3000);
  mock.timers.tick(500);
  t.is(users.size, 0);
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
        return SETTLED;
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

test('nor has it when two hints reach the supervisor while it is busy', async (t) => {
  const claims = new Count();
  let broken = true;
  const users = new Users(
    effects({
      claim: (_queue, signal) => {
        claims.add();
        return untilLeft(signal);
      },
      freeSlot: () => {
        if (broken) throw new Error('a slot that cannot be freed');
      },
    }),
    () => {
      // The supervisor is still at what broke.
      if (!broken) return;
      broken = false;
      users.hint('u');
      users.hint('u');
    },
  );
  users.hint('bad');
  await claims.reaches(1);
  t.is(users.size, 1);
  t.deepEqual(users.states, { idle: 0, claiming: 1 });
  await users.drain(1000);
  t.is(claims.value, 1);
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
      reportFault: (...fault) => faults.push(fault),
      abandon: () => t.fail('its user did not break'),
    }),
    () => gone.add(),
  );
  users.hint('u');
  await gone.reaches(1);
  t.deepEqual(faults, [['u', undefined, fault]]);
  t.is(users.state('u'), undefined);
  t.is(users.busy, 0);
  await users.drain(1000);
});

test('with a fault it is told what was in hand', async (t) => {
  const faults: unknown[] = [];
  const gone = new Count();
  const fault = new Error('no call');
  const turn = aTurn('u');
  const users = new Users(
    effects({
      claim: async () => turn,
      open: () => Promise.reject(fault),
      reportFault: (...told) => faults.push(told),
    }),
    () => gone.add(),
  );
  users.hint('u');
  await gone.reaches(1);
  t.deepEqual(faults, [['u', turn, fault]]);
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

/** Users of which each claims what arrives for it, or else is told so; and what they and those that enqueue were told. */
function takers(more: Partial<UserEffects> = {}) {
  const seen: unknown[] = [];
  const done = new Count();
  const users = new Users(
    effects({
      claim: async (queue, _signal, arrival) => {
        const message = arrival ? await arrival.claimed : 'looks';
        seen.push(typeof message === 'string' ? `${queue} ${message}` : [queue, message?.messageId]);
        return typeof message === 'object' ? new Turn(message) : undefined;
      },
      relay: async ({ messageId }) => {
        seen.push(['relayed', messageId]);
        return SETTLED;
      },
      ...more,
    }),
    () => done.add(),
  );
  const accept = (queue: string, claimed?: ClaimedMessage, mayBegin = true) =>
    users.accept(
      queue,
      async (begin) => {
        seen.push(begin);
        return { type: 'queued', position: 1, claimed };
      },
      mayBegin,
    );
  return { users, seen, done, accept };
}

const MESSAGE: ClaimedMessage = {
  queue: 'u',
  messageId: 'm',
  token: 1,
  attempt: 1,
  payload: '{}',
  trace: { requestId: 'r' },
  last: 2,
  waitedMs: 0,
  callback: undefined,
};

test('what arrives in a queue at rest is claimed as it is accepted, by an actor that does nothing else before', async (t) => {
  const { users, seen, done, accept } = takers();
  t.deepEqual(await accept('u', MESSAGE), { type: 'queued', position: 1, claimed: MESSAGE });
  await done.reaches(1);
  t.deepEqual(seen, [true, ['u', 'm'], ['relayed', 'm']]);
  // It rests now, and is found.
  await accept('u', { ...MESSAGE, messageId: 'n' });
  await done.reaches(2);
  t.deepEqual(seen.slice(3), [true, ['u', 'n'], ['relayed', 'n']]);
  await users.drain(1000);
});

test('of what arrives and is not claimed, or is refused, the actor hears, and looks for itself', async (t) => {
  const { users, seen, done, accept } = takers();
  await accept('u');
  await done.reaches(1);
  t.deepEqual(seen, [true, ['u', undefined]]);
  const refusal = new Error('the queue is full');
  await t.throwsAsync(
    users.accept('u', () => Promise.reject(refusal), true),
    { is: refusal },
  );
  await done.reaches(2);
  t.deepEqual(seen.slice(2), [['u', undefined]]);
  await users.drain(1000);
});

test('what arrives in a busy queue, without a free slot, or while it shall not begin, is a hint', async (t) => {
  const relayed = Promise.withResolvers<typeof SETTLED>();
  const { users, seen, done, accept } = takers({ relay: () => relayed.promise });
  await accept('u', MESSAGE);
  await accept('u');
  t.deepEqual(seen, [true, ['u', 'm'], false]);
  relayed.resolve(SETTLED);
  await done.reaches(1);
  t.deepEqual(seen.slice(3), ['u looks'], 'the hint was remembered');
  await accept('v', undefined, false);
  await done.reaches(2);
  t.deepEqual(seen.slice(4), [false, 'v looks']);
  await users.drain(1000);
  await accept('w');
  t.deepEqual(seen.slice(6), [false], 'it drains');

  const full = takers({ slotsFree: 0 });
  await full.accept('u');
  await full.done.reaches(1);
  t.deepEqual(full.seen, [false, 'u looks']);
  await full.users.drain(1000);
});
