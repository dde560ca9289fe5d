import test from 'ava';
import { writeLine } from '../src/log.ts';
import { aLog } from './helpers/log.ts';

test('of a line that its level drops not even the fields are made', (t) => {
  const { log, lines } = aLog('info');
  writeLine(log, 'debug', 'dropped', () => t.fail('its fields were made'));
  writeLine(log, 'info', 'written', () => ({ n: 1 }));
  t.is(lines.length, 1);
  t.like(lines[0], { n: 1, msg: 'written' });
});
