import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { EmbeddedStore } from '../../src/store/embedded/embedded.ts';
import { storeContract } from './contract.ts';

storeContract(test, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'broker-'));
  const store = new EmbeddedStore(directory, {
    brokerId: 'broker-1',
    leaseMs: 10_000,
    maxQueueLength: 50,
    retentionMs: 3_600_000,
    deduplicationMs: 86_400_000,
  });
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return store;
});
