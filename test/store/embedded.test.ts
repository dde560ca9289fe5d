import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { mock } from 'node:test';
import { setImmediate as nextTick } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { aDirectory } from '../helpers/broker.ts';
import { aMessage, CALLED, COMPLETED, claimed, type Place, queued, settingsOf, settled } from './contract/kit.ts';
import { modelContract } from './contract/model.ts';
import { storeContract } from './contract.ts';
import { answersOf, MADE_AT } from './layouts/answers.ts';

const aPlace = async (t: ExecutionContext): Promise<Place> => {
  const directory = aDirectory(t);
  let present: EmbeddedStore | undefined;
  t.teardown(() => present?.close());
  return {
    broker: async (settings) => {
      await present?.close();
      present = new EmbeddedStore(directory, settingsOf(settings));
      return present;
    },
  };
};
storeContract(test.serial, aPlace);
modelContract(test.serial, aPlace);

test.serial('a file of another layout is refused and left as it is', (t) => {
  const directory = aDirectory(t);
  const file = join(directory, 'broker.sqlite');
  const foreign = new DatabaseSync(file);
  foreign.exec('PRAGMA user_version = 9');
  foreign.close();
  const fault = t.throws(() => new EmbeddedStore(directory, settingsOf()));
  t.regex(fault?.message ?? '', /layout 9.*DATA_DIR/);
  const left = new DatabaseSync(file);
  t.is(left.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'], 0);
  left.close();
});

test.serial('a file of layout 3 is brought up to date, with all that is in it', async (t) => {
  const directory = aDirectory(t);
  const old = new DatabaseSync(join(directory, 'broker.sqlite'));
  old.exec(readFileSync(new URL('layouts/3.sql', import.meta.url), 'utf8'));
  old.close();
  mock.timers.enable({ apis: ['Date'], now: MADE_AT + 10_000 });
  t.teardown(() => mock.timers.reset());
  const store = new EmbeddedStore(directory, settingsOf());
  t.teardown(() => store.close());
  t.deepEqual(await answersOf(store), JSON.parse(readFileSync(new URL('layouts/3.json', import.meta.url), 'utf8')));
});

test.serial('a second broker on the same file is refused with a word', async (t) => {
  const directory = aDirectory(t);
  const first = new EmbeddedStore(directory, settingsOf());
  t.throws(() => new EmbeddedStore(directory, settingsOf()), { message: /another broker uses it.*DATA_DIR/ });
  await first.close();
  const second = new EmbeddedStore(directory, settingsOf());
  await second.close();
});

test.serial('what was put off by a clock that has been set back since is not put off for as long', async (t) => {
  const directory = aDirectory(t);
  const at = Date.now();
  mock.timers.enable({ apis: ['Date'], now: at + 3_600_000 });
  t.teardown(() => mock.timers.reset());
  const before = new EmbeddedStore(directory, settingsOf());
  const { id } = await queued(before, 'u');
  await before.release(await claimed(before, 'u'), CALLED);
  await before.close();
  mock.timers.setTime(at);
  const store = new EmbeddedStore(directory, settingsOf());
  t.teardown(() => store.close());
  mock.timers.setTime(at + 30_000);
  t.deepEqual((await store.sweep(1)).due, ['u']);
  t.is((await store.claim('u'))?.messageId, id);
});

test.serial('what has outlived its retention is forgotten in portions, one soon after the other', async (t) => {
  const directory = aDirectory(t);
  const store = new EmbeddedStore(directory, settingsOf({ retentionMs: 1, maxQueueLength: 10_000 }));
  await Promise.all(Array.from({ length: 1500 }, () => store.enqueue(aMessage('u'))));
  for (let left = 1500; left; left -= 1) await settled(store, 'u', COMPLETED);
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  await store.sweep(0);
  for (let portion = 1; portion < 5; portion += 1) {
    mock.timers.tick(10);
    // It is committed at the end of this turn.
    await store.ping();
    await nextTick();
  }
  await store.close();
  const left = new DatabaseSync(join(directory, 'broker.sqlite'));
  t.is(left.prepare('SELECT count(*) AS n FROM messages').get()?.['n'], 0);
  left.close();
});

test.serial('no statement looks at all messages, or sorts them', async (t) => {
  const directory = aDirectory(t);
  await new EmbeddedStore(directory, settingsOf()).close();
  const db = new DatabaseSync(join(directory, 'broker.sqlite'));
  t.teardown(() => db.close());
  const source = new URL('../../src/store/embedded/', import.meta.url);
  const code = readdirSync(source)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(new URL(name, source), 'utf8'))
    .join('\n');
  const statements = [...code.matchAll(/(['`])((?:SELECT|INSERT|UPDATE|DELETE)\b.*?)\1/gs)].map(
    ([, , sql = '']) => sql,
  );
  t.true(statements.length > 50);
  for (const sql of statements) {
    for (const { detail } of db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()) {
      t.notRegex(String(detail), /TEMP B-TREE/, sql);
      const scanned = /^SCAN (\w+)(?: USING (?:COVERING )?INDEX )?/.exec(String(detail));
      // Dead letters, of which many are counted only now and then.
      if (/^SELECT count\(\*\) AS n FROM (messages WHERE status = 'failed'|discarded|callbacks WHERE .*)$/.test(sql))
        continue;
      // Read in the order of an index, as far as it has to be.
      if (scanned?.[0].endsWith('INDEX ') && /ORDER BY [\w, ]+ LIMIT \?$/.test(sql)) continue;
      // Those have a row for each queue or destination, and are gone through once, at the start.
      const few = ['counts', ...(sql.startsWith('UPDATE') ? ['destinations'] : [])];
      t.true(!scanned || few.includes(scanned[1] ?? ''), `${sql}: ${detail}`);
    }
  }
});
