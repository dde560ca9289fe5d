import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../helpers/client.ts';
import { type BrokerProcess, EndedEarly, startBrokerProcess } from '../helpers/process.ts';
import { Pulse } from './pulse.ts';
import type { Recording } from './recording.ts';

/** A broker that stops in order has ended by then, whatever else is wrong at that time. */
const STOPS_WITHIN_MS = 20_000;
/** From here on pino's levels tell of a broker's own faults. */
const ERROR_LEVEL = 50;

export type Settings = {
  readonly leaseMs: number;
  /** The environment of the `n`-th process, which calls the worker with `key`. */
  readonly env: (n: number, key: string) => Record<string, string>;
  /** What that process runs, if not the broker as it is shipped. */
  readonly entry: (n: number) => string | undefined;
};

/** A broker through all its lives: processes come and go, the name stays. */
export class Broker implements AsyncDisposable {
  readonly name: string;
  readonly #settings: Settings;
  readonly #recording: Recording;
  #lives = 0;
  #process: BrokerProcess | undefined;
  #pulse: Pulse | undefined;
  #ending = false;

  constructor(name: string, settings: Settings, recording: Recording) {
    this.name = name;
    this.#settings = settings;
    this.#recording = recording;
  }

  /** The present process, or the last one there was. */
  get life(): string {
    return `${this.name}.${this.#lives}`;
  }

  /** Speaks to that process or, when it has ended, to nobody: its port may be somebody else's by now. */
  get client(): Client {
    return (this.#isUp() && this.#process?.client) || new Client('http://127.0.0.1:1');
  }

  async start(): Promise<void> {
    this.#lives += 1;
    this.#ending = false;
    const { life } = this;
    const { env, entry, leaseMs } = this.#settings;
    const started = await startBrokerProcess(env(this.#lives, life), entry(this.#lives));
    this.#process = started;
    this.#listen(started, life);
    const note = (fromMs: number) => this.#recording.disturb(life, 'frozen', fromMs)();
    this.#pulse = new Pulse(() => started.client.get('/health/live'), leaseMs / 2, note);
  }

  /** Starts one that is made to kill itself. False when it has done so before it listened. */
  async startOrDie(): Promise<boolean> {
    try {
      await this.start();
      return true;
    } catch (error) {
      if (!(error instanceof EndedEarly) || error.by !== 'SIGKILL') throw error;
      this.#recording.disturb(this.life, 'killed');
      return false;
    }
  }

  async kill(): Promise<void> {
    this.#ending = true;
    this.#recording.disturb(this.life, 'killed');
    await this.#process?.end('SIGKILL');
    await this.#pulse?.[Symbol.asyncDispose]();
  }

  /** Resolves when it has killed itself, as it was made to do. */
  async killsItself(): Promise<void> {
    this.#ending = true;
    const child = this.#process?.child;
    if (child && this.#isUp()) await once(child, 'exit');
    this.#recording.disturb(this.life, 'killed');
    if (child?.signalCode !== 'SIGKILL')
      this.#recording.brokerFaults.push(`${this.life} ended with ${child?.exitCode}.`);
    await this.#pulse?.[Symbol.asyncDispose]();
  }

  /** Asks it to stop, as an operator does, and does not wait for it. */
  terminate(): void {
    this.#process?.child.kill('SIGTERM');
  }

  /** Stops it as an operator does. */
  async stop(): Promise<void> {
    this.#ending = true;
    const late = new AbortController();
    const code = await Promise.race([
      this.#process?.end('SIGTERM'),
      delay(STOPS_WITHIN_MS, 'nothing in time', { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
    if (code !== 0) this.#recording.brokerFaults.push(`${this.life} was asked to stop and ended with ${code}.`);
    if (this.#isUp()) await this.#process?.end('SIGKILL');
    await this.#pulse?.[Symbol.asyncDispose]();
  }

  /** Stops it in its tracks for so long. */
  async freeze(forMs: number): Promise<void> {
    const over = this.#recording.disturb(this.life, 'frozen');
    this.#process?.child.kill('SIGSTOP');
    await delay(forMs);
    this.#process?.child.kill('SIGCONT');
    over();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    if (this.#isUp()) await this.#process?.end('SIGKILL');
    await this.#pulse?.[Symbol.asyncDispose]();
  }

  #isUp(): boolean {
    const { exitCode = 0, signalCode = null } = this.#process?.child ?? {};
    return exitCode === null && signalCode === null;
  }

  #listen({ child }: BrokerProcess, life: string): void {
    const { brokerFaults } = this.#recording;
    child.once('exit', (code, signal) => {
      if (!this.#ending) brokerFaults.push(`${life} ended by itself, with ${code ?? signal}.`);
    });
    if (!child.stdout) return;
    createInterface(child.stdout).on('line', (line) => {
      if (levelOf(line) >= ERROR_LEVEL) brokerFaults.push(`${life} says: ${line}`);
    });
  }
}

function levelOf(line: string): number {
  return Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 0);
}
