import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import type { Claim } from '../../machines/events.ts';
import { Leases } from '../../src/actors/leases.ts';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { aDirectory } from '../helpers/broker.ts';
import { aLog } from '../helpers/log.ts';
import { settingsOf } from '../store/contract/kit.ts';
import { aTurn } from './helpers.ts';

const LEASE_MS = 600_000;

function someLeases(t: ExecutionContext, { leaseMs = LEASE_MS, log = pino({ level: 'silent' }) } = {}) {
  const store = new EmbeddedStore(aDirectory(t), settingsOf());
  const cancelled: Claim[] = [];
  const leases = new Leases({
    store,
    leaseMs,
    log,
    onLost: () => {},
    onCancelled: (claim) => cancelled.push(claim),
  });
  t.teardown(() => leases.close());
  t.teardown(() => store.close());
  return { leases, cancelled };
}

test('a message that is cancelled before the answer to its claim is here is cancelled when that comes', (t) => {
  const { leases, cancelled } = someLeases(t);
  leases.cancelled({ queue: 'u', token: 7 });
  leases.hold(aTurn('other', 7), performance.now());
  leases.hold(aTurn('u', 6), performance.now());
  t.deepEqual(cancelled, [], 'tokens are counted by part of the store: another queue has the same');
  leases.hold(aTurn('u', 7), performance.now());
  t.deepEqual(cancelled, [aTurn('u', 7)]);
  leases.hold(aTurn('u', 7), performance.now());
  t.is(cancelled.length, 1, 'once');
});

test('of claims that are held it is told at once, of others that are over never', (t) => {
  const { leases, cancelled } = someLeases(t);
  leases.hold(aTurn('u', 1), performance.now());
  leases.cancelled({ queue: 'u', token: 1 });
  t.deepEqual(cancelled, [aTurn('u', 1)]);
  leases.drop(aTurn('u', 1));
  leases.cancelled({ queue: 'u', token: 1 });
  leases.hold(aTurn('u', 2), performance.now());
  t.is(cancelled.length, 1);
});

test('a claim whose answer took most of its lease is not held', (t) => {
  const { leases } = someLeases(t);
  t.false(leases.hold(aTurn('u', 1), performance.now() - 0.75 * LEASE_MS));
  t.is(leases.take('u'), undefined);
  t.true(leases.hold(aTurn('u', 1), performance.now() - 0.7 * LEASE_MS));
});

test('of a claim that was lost a line tells which message, and whose', async (t) => {
  const { log, line } = aLog();
  const { leases } = someLeases(t, { leaseMs: 60, log });
  const turn = aTurn('u');
  // The store knows of no such claim.
  leases.hold(turn, performance.now());
  const lost = await line(({ msg }) => String(msg).startsWith('claim lost'));
  t.like(lost, { request_id: 'r', message_id: turn.messageId, user_id: 'u', queue: 'u', attempt: 1 });
});
