import test from 'ava';
import { newId } from '../src/ids.ts';

test('ids are all different, and sort by the time they were made', async (t) => {
  const ids: string[] = [];
  for (let n = 0; n < 5000; n += 1) ids.push(newId());
  t.is(new Set(ids).size, ids.length);
  for (const id of ids) t.regex(id, /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  const now = Date.now();
  while (Date.now() === now);
  t.true(newId() > (ids.at(-1) ?? ''));
});
