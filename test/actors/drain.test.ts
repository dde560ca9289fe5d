import test from 'ava';
import type { Settled } from '../../machines/events.ts';
import { Users } from '../../src/actors/users.ts';
import { aTurn, Count, effects, SETTLED, untilLeft } from './helpers.ts';

test('draining lets the call in hand finish and claims nothing more', async (t) => {
  const relays = new Count();
  const call = Promise.withResolvers<Settled>();
  const settled: unknown[] = [];
  const users = new Users(
    effects({
      claim: async (queue) => aTurn(queue),
      relay: async (claim, _signal, proceeds) => {
        relays.add();
        t.true(proceeds());
        const left = await call.promise;
        settled.push([claim.messageId, proceeds()]);
        return left;
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
  call.resolve({ ...SETTLED, waiting: true });
  await drained;
  t.deepEqual(settled, [['u-1', false]]);
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
