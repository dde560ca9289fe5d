import { mock } from 'node:test';
import test from 'ava';
import { onEnd } from '../src/signals.ts';

test('what is told to end is told once; the same within a second, by whichever signal, is npm; later it ends at once', (t) => {
  let now = 5000;
  const clock = mock.method(performance, 'now', () => now);
  const exit = mock.method(process, 'exit', () => {});
  t.teardown(() => {
    clock.mock.restore();
    exit.mock.restore();
    process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
  });
  let told = 0;
  onEnd(() => {
    told += 1;
  });
  process.emit('SIGINT');
  process.emit('SIGINT');
  now += 999;
  process.emit('SIGTERM');
  t.deepEqual([told, exit.mock.callCount()], [1, 0]);
  now += 1;
  process.emit('SIGINT');
  t.is(told, 1);
  t.deepEqual(exit.mock.calls.at(0)?.arguments, [1]);
});
