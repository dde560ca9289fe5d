import { type Command, InvalidArgumentError, Option } from 'commander';
import { BrokerClient } from '../client/index.ts';
import { Output } from './output.ts';
import { isUsage, UsageFault } from './sentence.ts';
import { userName } from './surroundings.ts';

/** Nobody wants to wait longer for a prompt. */
const SENDING_MS = 15_000;

/** What every command may be given. */
export type Common = { readonly url: string; readonly key?: string; readonly json?: true };
export type OfUser = Common & { readonly user: string };

/** What a command works with. */
export type Tools = {
  /** Tries once: what goes wrong is told at once. */
  readonly client: BrokerClient;
  /** Tries again for a while. */
  readonly sender: BrokerClient;
  /** Comes back when the connection breaks. */
  readonly follower: BrokerClient;
  readonly output: Output;
  /** Aborted when the command is to end. */
  readonly signal: AbortSignal;
};

/** One run of the command line. */
export class Session {
  /** The exit code. */
  code = 0;
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Does a command's work, which answers the exit code. `Options`: its own, and those of all commands. */
  async run<Options extends Common>(
    command: Command,
    work: (tools: Tools, options: Options) => Promise<number>,
  ): Promise<void> {
    const options = command.optsWithGlobals<Options>();
    const output = new Output(options.json === true);
    try {
      this.code = await work({ ...clients(options), output, signal: this.#signal }, options);
    } catch (error) {
      if (this.#signal.aborted) throw error;
      output.fault(error);
      this.code = isUsage(error) ? 2 : 1;
    }
  }
}

function clients({ url, key }: Common): Pick<Tools, 'client' | 'sender' | 'follower'> {
  if (!isAddress(url)) {
    const what = 'an http or https address, without user name, password, query and fragment';
    throw new UsageFault(`--url must be ${what}`);
  }
  const broker = { url, apiKey: key || undefined };
  return {
    client: new BrokerClient({ ...broker, patienceMs: 0 }),
    sender: new BrokerClient({ ...broker, patienceMs: SENDING_MS }),
    follower: new BrokerClient(broker),
  };
}

export function commonOptions(): readonly Option[] {
  return [
    new Option('--url <url>', 'where the broker is').env('BROKER_URL').default('http://localhost:8000'),
    new Option('--key <key>', 'its key').env('BROKER_KEY'),
    new Option('--json', 'one JSON object a line'),
  ];
}

export function userOption(): Option {
  return new Option('--user <user>', 'whose queue').env('BROKER_USER').default(userName());
}

/** The value is told nowhere: it may hold a password. */
function isAddress(url: string): boolean {
  const { protocol, username, password, search, hash } = URL.parse(url) ?? {};
  return /^https?:$/.test(protocol ?? '') && !(username || password || search || hash);
}

/** Reads an argument. */
export function wholeNumber(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}
