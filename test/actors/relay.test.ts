import test, { type ExecutionContext } from 'ava';
import { Relay } from '../../src/actors/relay.ts';
import { Turn } from '../../src/actors/turn.ts';
import { aCaller, aMessageOf } from '../helpers/caller.ts';
import { aScriptedWorker, COMPLETE } from '../helpers/scripted-worker.ts';

/** A call that is open, and the turn that it belongs to. */
async function aTurn(t: ExecutionContext) {
  const script = await aScriptedWorker(t);
  const call = aCaller(t, script.url).call(aMessageOf('u'));
  const turn = new Turn({
    queue: 'u',
    messageId: 'm',
    token: 1,
    attempt: 1,
    payload: '',
    trace: { requestId: '' },
    waitedMs: 0,
    callback: undefined,
    last: 2,
  });
  return { call, turn, scripted: await script.call(1) };
}

test('what cannot be written breaks the call off, and is not taken for a fault of the worker', async (t) => {
  const { call, turn, scripted } = await aTurn(t);
  scripted.say({ type: 'progress', text: 'In the beginning' });
  const relay = new Relay({
    turn,
    call,
    append: async () => {
      throw new Error('not written');
    },
    keepalive: () => {},
    broken: () => {
      t.fail('the worker is said to have broken off');
      return { status: 'completed' };
    },
  });
  await t.throwsAsync(relay.run(), { message: 'not written' });
  await scripted.over;
});

test('however many events come at once, they are written in order, at most 1000 at a time, and as many are left for the end', async (t) => {
  const { call, turn, scripted } = await aTurn(t);
  const said = Array.from({ length: 25_000 }, (_, n) => ({ n }));
  scripted.say(...said, COMPLETE);
  scripted.end();
  const written: string[] = [];
  const relay = new Relay({
    turn,
    call,
    append: async (last, events) => {
      t.is(last, 2 + written.length);
      t.true(events.length <= 1000, `${events.length} at once`);
      written.push(...events.map(({ data }) => data));
    },
    keepalive: () => {},
    broken: (error) => t.fail(String(error)),
  });
  t.deepEqual(await relay.run(), { status: 'completed' });
  t.true(turn.pending.length <= 1000, `${turn.pending.length} are left`);
  t.is(turn.last, 2 + written.length);
  t.deepEqual(
    [...written, ...turn.pending.map(({ data }) => data)],
    [...said, COMPLETE].map((event) => JSON.stringify(event)),
  );
});
