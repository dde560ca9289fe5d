import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { type Place, settingsOf } from './contract/kit.ts';
import { storeContract } from './contract.ts';

function aDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'broker-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

storeContract(test.serial, async (t): Promise<Place> => {
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
});
