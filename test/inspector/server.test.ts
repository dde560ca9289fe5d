import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import { InspectorServer } from '../../src/inspector/server.ts';
import { aViewer } from '../helpers/viewer.ts';

test('a client that does not read is let go, and another is served as before', async (t) => {
  const server = new InspectorServer(0, () => ['hello']);
  t.teardown(() => server.close());
  const url = await server.listen();
  const slow = await aViewer(t, url);
  await slow.until(() => slow.texts.length === 1);
  slow.socket.pause();
  const frame = 'x'.repeat(1_000_000);
  // What the system itself takes in comes on top of what waits here.
  for (; server.watched; await nextTurn()) server.send(frame);

  const other = await aViewer(t, url);
  server.send('news');
  await other.until(() => other.texts.length === 2);
  t.deepEqual(other.texts, ['hello', 'news']);
});

test('at the end what was sent arrives, and a client that does not read holds nothing up', async (t) => {
  const server = new InspectorServer(0, () => []);
  const url = await server.listen();
  const viewer = await aViewer(t, url);
  const deaf = await aViewer(t, url);
  deaf.socket.pause();
  server.send('last');
  await Promise.all([once(viewer.socket, 'close'), server.close()]);
  t.deepEqual(viewer.texts, ['last']);
});
