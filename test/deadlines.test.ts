import { mock } from 'node:test';
import test from 'ava';
import { Deadlines } from '../src/deadlines.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

test.serial('what is late is told so once, at the next look; what has come is not', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  let now = 0;
  const clock = mock.method(performance, 'now', () => now);
  t.teardown(() => clock.mock.restore());
  const pass = async (ms: number) => {
    now += ms;
    mock.timers.tick(ms);
    await nextTurn();
  };

  const deadlines = new Deadlines();
  const late: string[] = [];
  deadlines.add(600, () => late.push('slow'));
  deadlines.add(100, () => late.push('quick'));
  const answered = deadlines.add(100, () => late.push('answered'));
  const answeredThen = deadlines.add(100, () => {
    late.push('answered as it was found to be late');
  });
  deadlines.drop(answered);
  now += 250;
  mock.timers.tick(250);
  // What came by then is read before anybody is told.
  deadlines.drop(answeredThen);
  await nextTurn();
  t.deepEqual(late, ['quick']);
  await pass(250);
  t.deepEqual(late, ['quick']);
  await pass(250);
  t.deepEqual(late, ['quick', 'slow']);

  // With nothing to look after, it does not look.
  now += 1000;
  const looks = clock.mock.callCount();
  mock.timers.tick(1000);
  const lastLook = clock.mock.callCount() - looks;
  mock.timers.tick(1000);
  t.is(clock.mock.callCount() - looks, lastLook);
  deadlines.add(10, () => late.push('later'));
  await pass(250);
  t.deepEqual(late, ['quick', 'slow', 'later']);
});
