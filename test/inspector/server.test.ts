import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { InspectorServer } from '../../src/inspector/server.ts';
import { aViewer } from '../helpers/viewer.ts';

const MEGABYTE = 1_000_000;

/** A relay for so many actors; `made`: of whom somebody was told. */
async function aServer(t: ExecutionContext, ids: readonly string[], frameOf = (id: string): string | undefined => id) {
  const made: string[] = [];
  const server = new InspectorServer(0, {
    ids: () => ids,
    frameOf: (id) => {
      made.push(id);
      return frameOf(id);
    },
  });
  t.teardown(() => server.close());
  return { server, made, url: await server.listen() };
}

test('a client that does not read is let go, and another is served as before', async (t) => {
  const { server, url } = await aServer(t, ['ruth']);
  const slow = await aViewer(t, url);
  await slow.until(() => slow.texts.length === 1);
  slow.socket.pause();
  const frame = 'x'.repeat(MEGABYTE);
  // What the system itself takes in comes on top of what waits here.
  for (; server.watched; await nextTurn()) server.send('ruth', frame);

  const other = await aViewer(t, url);
  await other.until(() => other.texts.length === 1);
  server.send('ruth', 'news');
  await other.until(() => other.texts.length === 2);
  t.deepEqual(other.texts, ['ruth', 'news']);
});

test('a long greeting is sent in steps as it is read, and leaves out what it has still to tell', async (t) => {
  const ids = Array.from({ length: 100 }, (_, n) => `user-${n}`);
  const { server, made, url } = await aServer(t, ids, (id) => (id === 'user-98' ? undefined : id.padEnd(MEGABYTE)));
  const viewer = await aViewer(t, url);
  viewer.socket.pause();
  t.true(made.length < 50, 'it is not all made at once');
  server.send('user-0', 'told before');
  server.send('user-99', 'of one who is not told of yet');
  server.send('new', 'of one who came later');
  viewer.socket.resume();
  await viewer.until(() => viewer.texts.some((text) => text.startsWith('user-99')));
  const told = viewer.texts.map((text) => text.trim());
  t.deepEqual(
    told.filter((text) => text.startsWith('user-')),
    ids.filter((id) => id !== 'user-98'),
  );
  t.true(told.includes('told before') && told.includes('of one who came later'));
  t.false(told.includes('of one who is not told of yet'));
});

test('at the end what was sent arrives, and a client that does not read holds nothing up', async (t) => {
  const { server, url } = await aServer(t, []);
  const viewer = await aViewer(t, url);
  const deaf = await aViewer(t, url);
  deaf.socket.pause();
  server.send('ruth', 'last');
  await Promise.all([once(viewer.socket, 'close'), server.close()]);
  t.deepEqual(viewer.texts, ['last']);
});
