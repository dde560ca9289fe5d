import { callbacksContract } from './contract/callbacks.ts';
import { claimContract } from './contract/claim.ts';
import type { Declare, MakePlace } from './contract/kit.ts';
import { logContract } from './contract/log.ts';
import { noticesContract } from './contract/notices.ts';
import { operationsContract } from './contract/operations.ts';
import { overviewContract } from './contract/overview.ts';
import { queueContract } from './contract/queue.ts';
import { sweepContract } from './contract/sweep.ts';
import { textContract } from './contract/text.ts';
import { watchContract } from './contract/watch.ts';

/** What every store must do. Run by one test file for each way to store. */
export function storeContract(test: Declare, aPlace: MakePlace): void {
  queueContract(test, aPlace);
  claimContract(test, aPlace);
  logContract(test, aPlace);
  sweepContract(test, aPlace);
  operationsContract(test, aPlace);
  noticesContract(test, aPlace);
  overviewContract(test, aPlace);
  callbacksContract(test, aPlace);
  watchContract(test, aPlace);
  textContract(test, aPlace);
}
