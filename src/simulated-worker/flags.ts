import { parseArgs } from 'node:util';
import type { SimulatedWorkerOptions } from './server.ts';

export const HELP = `The simulated worker: stands in for the AI engine.

  --port 8787        where to listen
  --host 127.0.0.1
  --key KEY          ask for "Authorization: Bearer KEY"
  --ttft 300         ms before the first progress event
  --chunk 60         ms between progress events
  --jitter 0         ms added to each at random, at most
  --keepalive 30000  ms between keepalive events
  --cut none         random: cut the stream anywhere, also inside a character
  --seed 1           of jitter and cuts
  --help

Steer a message from its first characters:
  [[text="In the beginning" ttft=300 chunk=120]] Tell me John 1:1
  [[tools=read_memory,execute_code]]   [[fail=529]]   [[status=503 failtimes=2]]
  [[midfail=3]]  [[stall=2]]  [[hang]]  [[reset]]  [[garbage]]  [[nocomplete]]
All directives: docs/simulated-worker.md
`;

const NUMBERS = { port: 65_535, ttft: 1e9, chunk: 1e9, jitter: 1e9, keepalive: 1e9, seed: 1e9 } as const;
type NumberFlag = keyof typeof NUMBERS;
const isNumberFlag = (name: string): name is NumberFlag => Object.hasOwn(NUMBERS, name);
const OPTION = {
  port: 'port',
  ttft: 'ttftMs',
  chunk: 'chunkMs',
  jitter: 'jitterMs',
  keepalive: 'keepaliveMs',
  seed: 'seed',
} as const;

export interface Flags {
  help: boolean;
  options: SimulatedWorkerOptions;
  /** One sentence for each flag that is no use. */
  faults: string[];
}

/** Reads the command line; reports every fault, not only the first. */
export function readFlags(args: readonly string[]): Flags {
  const text = { type: 'string' } as const;
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    options: {
      port: text,
      host: text,
      key: text,
      ttft: text,
      chunk: text,
      jitter: text,
      keepalive: text,
      cut: text,
      seed: text,
      help: { type: 'boolean' },
    },
  });
  const flags: Flags = { help: false, options: { port: 8787, ttftMs: 300, chunkMs: 60 }, faults: [] };
  for (const token of tokens) {
    if (token.kind === 'positional') flags.faults.push(`"${token.value}" is not a flag; --help lists them.`);
    if (token.kind !== 'option') continue;
    const fault = setFlag(flags, token.name, token.value);
    if (fault !== undefined) flags.faults.push(fault);
  }
  return flags;
}

function setFlag(flags: Flags, name: string, value: string | undefined): string | undefined {
  const { options } = flags;
  if (name === 'help') {
    flags.help = true;
    return undefined;
  }
  if (isNumberFlag(name)) {
    const most = NUMBERS[name];
    const least = name === 'keepalive' ? 1 : 0;
    const number = Number(value);
    if (value === undefined || !/^\d+$/.test(value) || number < least || number > most)
      return `--${name} needs a whole number from ${least} to ${most}${got(value)}.`;
    options[OPTION[name]] = number;
    return undefined;
  }
  if (name === 'cut') {
    if (value !== 'none' && value !== 'random') return `--cut needs none or random${got(value)}.`;
    options.cut = value;
    return undefined;
  }
  if (name !== 'host' && name !== 'key') return `There is no flag --${name}; --help lists them.`;
  if (value === undefined || value.trim() === '') return `--${name} needs a value.`;
  options[name === 'key' ? 'apiKey' : 'host'] = value;
  return undefined;
}

function got(value: string | undefined): string {
  return value === undefined ? '' : `, not "${value}"`;
}
