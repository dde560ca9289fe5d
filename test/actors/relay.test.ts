import test from 'ava';
import { Relay } from '../../src/actors/relay.ts';
import { Turn } from '../../src/actors/turn.ts';
import { aCaller, aMessageOf } from '../helpers/caller.ts';
import { aScriptedWorker } from '../helpers/scripted-worker.ts';

test('what cannot be written breaks the call off, and is not taken for a fault of the worker', async (t) => {
  const script = await aScriptedWorker(t);
  const worker = aCaller(t, script.url);
  const call = worker.call(aMessageOf('u'));
  const scripted = await script.call(1);
  scripted.say({ type: 'progress', text: 'In the beginning' });
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
