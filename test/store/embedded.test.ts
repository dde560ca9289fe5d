import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { type Place, settingsOf } from './contract/kit.ts';
import { modelContract } from './contract/model.ts';
import { storeContract } from './contract.ts';

function aDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'broker-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

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

test.serial('a second broker on the same file is refused with a word', async (t) => {
  const directory = aDirectory(t);
  const first = new EmbeddedStore(directory, settingsOf());
  t.throws(() => new EmbeddedStore(directory, settingsOf()), { message: /another broker uses it.*DATA_DIR/ });
  await first.close();
  const second = new EmbeddedStore(directory, settingsOf());
  await second.close();
});
