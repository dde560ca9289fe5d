import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { Claim } from '../../machines/events.ts';
import { Leases } from '../../src/actors/leases.ts';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { aDirectory } from '../helpers/broker.ts';
import { settingsOf } from '../store/contract/kit.ts';

const LEASE_MS = 600_000;

function someLeases(t: ExecutionContext) {
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  const cancelled: Claim[] = [];
  const leases = new Leases({
    store,
    leaseMs: LEASE_MS,
    log: pino({ level: 'silent' }),
    onLost: () => {},
    onCancelled: (claim) => cancelled.push(claim),
  });
  t.teardown(() => leases.close());
  t.teardown(() => store.close());
  return { leases, cancelled };
}

const claim = (queue: string, token: number): Claim => ({ queue, messageId: `${queue}-${token}`, token, attempt: 1 });

test('a message that is cancelled before the answer to its claim is here is cancelled when that comes', (t) => {
  const { leases, cancelled } = someLeases(t);
  leases.cancelled({ queue: 'u', token: 7 });
  leases.hold(claim('other', 7), performance.now());
  leases.hold(claim('u', 6), performance.now());
  t.deepEqual(cancelled, [], 'tokens are counted by part of the store: another queue has the same');
  leases.hold(claim('u', 7), performance.now());
  t.deepEqual(cancelled, [claim('u', 7)]);
  leases.hold(claim('u', 7), performance.now());
  t.is(cancelled.length, 1, 'once');
});

test('of claims that are held it is told at once, of others that are over never', (t) => {
  const { leases, cancelled } = someLeases(t);
  leases.hold(claim('u', 1), performance.now());
  leases.cancelled({ queue: 'u', token: 1 });
  t.deepEqual(cancelled, [claim('u', 1)]);
  leases.drop(claim('u', 1));
  leases.cancelled({ queue: 'u', token: 1 });
  leases.hold(claim('u', 2), performance.now());
  t.is(cancelled.length, 1);
});

test('a claim whose answer took most of its lease is not held', (t) => {
  const { leases } = someLeases(t);
  t.false(leases.hold(claim('u', 1), performance.now() - 0.75 * LEASE_MS));
  t.is(leases.take('u'), undefined);
  t.true(leases.hold(claim('u', 1), performance.now() - 0.7 * LEASE_MS));
});
