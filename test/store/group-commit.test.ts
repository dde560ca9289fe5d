import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { aDirectory } from '../helpers/broker.ts';
import { aMessage, logOf, settingsOf, Watcher, workerEvents } from './contract/kit.ts';

/** Runs `writer.ts` to its end; answers its lines. `fileBytes`: no file of it can grow larger. */
function written(directory: string, fileBytes: number | 'unlimited', ...how: readonly string[]): string[] {
  const writer = fileURLToPath(new URL('writer.ts', import.meta.url));
  const limited = ['prlimit', `--fsize=${fileBytes}:`, process.execPath, writer, directory, ...how];
  const { stdout, stderr } = spawnSync('env', limited, { encoding: 'utf8' });
  if (stderr) throw new Error(stderr);
  return stdout.trim().split('\n');
}

/** How many messages wait in the file that a writer has left, which must take more. */
async function waitingIn(t: ExecutionContext, directory: string): Promise<number> {
  const store = new EmbeddedStore(directory, settingsOf({ maxQueueLength: 10_000 }));
  t.teardown(() => store.close());
  const { waiting } = await store.queue('u');
  t.is((await store.sweep(0)).counts.waiting, waiting.length);
  await store.enqueue(aMessage('u', { id: 'one more' }));
  t.is((await store.queue('u')).waiting.length, waiting.length + 1);
  return waiting.length;
}

test('whoever is answered is in the file: it survives a kill -9 with the first answer', async (t) => {
  const directory = aDirectory(t);
  t.is(written(directory, 'unlimited', '10', '100', 'accepted').length, 1);
  t.is(await waitingIn(t, directory), 10, 'all that was asked for in one turn is committed together');
});

for (const [when, swept, ...how] of [
  ['as a turn is committed', 'sweep StoreUnavailable', '3', '20000'],
  // It still has room for smaller turns.
  ['in the middle of a turn', 'sweep well', '40', '100000'],
] as const) {
  test(`a file that can grow no more ${when}: each message is in it or refused, and all goes on once it can`, async (t) => {
    const directory = aDirectory(t);
    const lines = written(directory, 6_000_000, ...how, 'refused');
    const [sweep, waiting, accepted, last] = lines.splice(-4);
    t.is(sweep, swept);
    const queued = lines.filter((line) => line.startsWith('queued '));
    const refused = lines.filter((line) => line.startsWith('StoreUnavailable '));
    t.is(queued.length + refused.length, lines.length);
    t.true(queued.length > 0 && refused.length > 0);
    t.deepEqual([waiting, accepted], [`waiting ${queued.length}`, `accepted ${queued.length}`], 'as it counts itself');
    t.regex(last ?? '', /^queued /);
    t.is(await waitingIn(t, directory), queued.length + 1);
  });
}

test('a change that breaks off half done leaves nothing, and those of the same turn feel nothing of it', async (t) => {
  const directory = aDirectory(t);
  await new EmbeddedStore(directory, settingsOf()).close();
  const db = new DatabaseSync(join(directory, 'broker.sqlite'));
  db.exec(`CREATE TRIGGER fault BEFORE INSERT ON callbacks BEGIN SELECT RAISE(ABORT, 'a fault'); END`);
  db.close();
  const store = new EmbeddedStore(directory, settingsOf());
  t.teardown(() => store.close());
  const watcher = new Watcher();
  await store.watch('u', watcher.onChange);
  const callback = { url: 'https://gateway.example/hook', details: '{}', from: 'end' } as const;
  const [first, second] = [aMessage('u'), aMessage('u')];
  const [one, claim, broken, two, page] = await Promise.allSettled([
    store.enqueue(first),
    store.claim('u'),
    store.enqueue(aMessage('broken', { callback, deduplicationKeys: ['key'] })),
    store.enqueue(second),
    store.read('u', first.id, 0, 10),
  ]);
  t.like(one, { value: { type: 'queued', position: 1 } });
  t.like(two, { value: { type: 'queued', position: 1 } });
  t.like(broken, { status: 'rejected', reason: { message: 'a fault' } });
  t.like(page, { value: { status: 'processing', last: 2 } });
  t.like((await store.sweep(0)).counts, { activeQueues: 1, waiting: 1, processing: 1 });
  t.is((await store.sweep(0)).totals.accepted, 2);
  t.deepEqual((await store.queue('broken')).waiting, []);
  t.like(await store.enqueue(aMessage('broken', { deduplicationKeys: ['key'] })), { type: 'queued', position: 1 });
  if (claim.status !== 'fulfilled' || !claim.value) return t.fail();
  await store.append(claim.value, 2, workerEvents('a'));
  t.is((await logOf(store, 'u', first.id))?.length, 3);
  t.deepEqual(
    watcher.changes.map(({ last }) => last),
    [2, 3],
    'everything is told once',
  );
});
