import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { Client } from './client.ts';

/** What `npm start` starts Node.js with. */
export const FLAGS: readonly string[] = ['--no-allocation-site-pretenuring'];

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export type BrokerProcess = {
  readonly client: Client;
  readonly child: ChildProcess;
  /** Sends a signal and waits for the end; answers the exit code, or the signal that ended it. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | string | null>;
};

type Ended = { readonly code: number | null; readonly output: string };

/** A broker ended before it listened. */
export class EndedEarly extends Error {
  /** The exit code, or the signal that ended it. */
  readonly by: number | string | null;

  constructor(by: number | string | null, output: string) {
    super(`the broker ended with ${by}: ${output}`);
    this.by = by;
  }
}

/** Brokers still up when the tests end early. */
const orphans = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of orphans) child.kill('SIGKILL');
});

function run(env: Record<string, string>, entry = MAIN): ChildProcess {
  const child = spawn(process.execPath, [...FLAGS, entry], {
    env: {
      PATH: process.env['PATH'],
      TMPDIR: process.env['TMPDIR'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      HOST: '127.0.0.1',
      PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  orphans.add(child);
  child.once('exit', () => orphans.delete(child));
  return child;
}

/** Starts the broker as its users do, or by another `entry`, and waits for its address in the log. */
export async function startBrokerProcess(env: Record<string, string>, entry?: string): Promise<BrokerProcess> {
  const child = run(env, entry);
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    const read = (chunk: Buffer) => {
      output += chunk;
      const address = /"url":"([^"]+)"/.exec(output)?.[1];
      if (address) resolve(address);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code, signal) => reject(new EndedEarly(code ?? signal, output)));
  });
  const end = async (signal: NodeJS.Signals) => {
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code, by] = await exited;
    return code ?? by;
  };
  return { client: new Client(url), child, end };
}

/** A broker's process for one test. */
export async function aBrokerProcess(t: ExecutionContext, env: Record<string, string>): Promise<BrokerProcess> {
  const broker = await startBrokerProcess(env);
  t.teardown(() => void broker.child.kill('SIGKILL'));
  return broker;
}

/** Runs a broker that is expected to end by itself, or once it is told to, which is when `done` resolves. */
export async function endedBroker(
  t: ExecutionContext,
  env: Record<string, string>,
  done?: Promise<unknown>,
): Promise<Ended> {
  const child = run(env);
  t.teardown(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  const [[code]] = await Promise.all([once(child, 'close'), done?.then(() => child.kill('SIGTERM'))]);
  return { code, output };
}
