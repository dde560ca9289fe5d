import test from 'ava';
import { isSound } from './trial.ts';

for (const seed of [51, 52, 53]) {
  test.serial(`Redis, whatever seed ${seed} brings`, async (t) => {
    await isSound(t, seed, { store: 'redis', brokers: 3 });
  });
}

for (const seed of [55, 56]) {
  test.serial(`Redis, whatever seed ${seed} brings, with users who cancel, clear and interrupt`, async (t) => {
    const { cancellings } = await isSound(t, seed, { store: 'redis', brokers: 3, cancels: true, size: 6 });
    t.true(cancellings.length > 0);
  });
}

test.serial('embedded, whatever seed 54 brings, with users who cancel, clear and interrupt', async (t) => {
  await isSound(t, 54, { store: 'embedded', cancels: true });
});
