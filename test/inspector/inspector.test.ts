import test from 'ava';
import { Users } from '../../src/actors/users.ts';
import { Inspector } from '../../src/inspector/inspector.ts';
import { effects } from '../actors/helpers.ts';
import { aViewer } from '../helpers/viewer.ts';

test('an actor that breaks is shown as broken, and forgotten', async (t) => {
  const inspector = new Inspector({ port: 0, users: [] });
  t.teardown(() => inspector.close());
  const url = await inspector.listen();
  const viewer = await aViewer(t, url);
  const breaking = effects({
    freeSlot: () => {
      throw new Error('hush');
    },
  });
  const users = new Users(breaking, () => {}, { inspect: inspector.inspect });
  users.hint('ruth');
  t.like(await viewer.end(await viewer.actor('user ruth')), { status: 'error' });
  const supervisor = await viewer.actor('supervisor');
  await viewer.until(() =>
    viewer.events(supervisor.sessionId).some(({ type, queue }) => type === 'user.broken' && queue === 'ruth'),
  );
  const late = await aViewer(t, url);
  await users.drain(0);
  await late.end(await late.actor('supervisor'));
  for (const text of late.texts) t.notRegex(text, /ruth/);
  for (const text of viewer.texts) t.notRegex(text, /hush/);
});
