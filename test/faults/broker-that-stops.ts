/** A broker as `src/main.ts` starts it, but for this: it kills itself at the point that STOP_AT names (`settle 1 before`). */
import { flushCompileCache } from 'node:module';
import { startBroker } from '../../src/broker.ts';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { CALLS, type StopPoint, StoppingStore } from './stopping-store.ts';

// A process that is killed does not write down what it has compiled unless it is told to.
flushCompileCache();
const config = readConfig(process.env);
const point = readPoint(process.env['STOP_AT'] ?? '');
const broker = await startBroker(config, createLog(config.logLevel), {
  through: (store) => new StoppingStore(store, point, die),
});
process.once('SIGTERM', () => void broker.stop().then(() => process.exit(0)));

/** Nothing of this process runs after this. */
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function readPoint(text: string): StopPoint {
  const [name, nth, when] = text.split(' ');
  const call = CALLS.find((known) => known === name);
  if (!call || !Number(nth) || (when !== 'before' && when !== 'after')) throw new Error(`This is no point: "${text}"`);
  return { call, nth: Number(nth), when };
}
