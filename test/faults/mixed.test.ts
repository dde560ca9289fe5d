import test from 'ava';
import { isSound } from './trial.ts';

for (const seed of [51, 52, 53]) {
  test.serial(`Redis, whatever seed ${seed} brings`, async (t) => {
    await isSound(t, seed, { store: 'redis', brokers: 3 });
  });
}

test.serial('embedded, whatever seed 54 brings', async (t) => {
  await isSound(t, 54, { store: 'embedded' });
});
