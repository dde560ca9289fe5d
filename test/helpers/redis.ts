import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './port.ts';

/** One that does not start ends at once. On a busy machine others take seconds. */
const ANSWERS_WITHIN_MS = 50_000;
const NOT_INSTALLED = 'redis-server is missing; install it with: apt-get update && apt-get install -y redis-server';

export type RedisOptions = {
  /** Keeps what is written, so that it survives `kill` and `restart`. */
  readonly appendonly?: boolean;
  /** The port 10,000 above is to be free too: a node of a Cluster talks to the others there. */
  readonly busPort?: boolean;
  /** Listens for TLS too, on a port of its own. */
  readonly tlsPort?: boolean;
  readonly args?: readonly string[];
};

export type RedisServer = {
  readonly url: string;
  readonly port: number;
  /** 0 when it does not listen for TLS. */
  readonly tlsPort: number;
  /** Of the process that runs now. */
  pid(): number;
  /** Ends the server at once, as a crash would. */
  kill(): Promise<void>;
  /** Stops it in its tracks until `resume`: connections stay open and nothing answers. */
  freeze(): void;
  resume(): void;
  /** Starts it again on the same port, with what it had written if it was to keep that. */
  restart(): Promise<void>;
  /** Sends one command and answers the first of what comes back; empty when there is nobody. */
  say(command: string): Promise<string>;
  /** Ends it and removes what it wrote. */
  stop(): Promise<void>;
};

/** Lets a user in as docs/operations.md says; answers the URL by which it comes. */
export async function admitDocumentedUser(server: RedisServer): Promise<string> {
  const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const [rule = ''] = /^ACL SETUSER broker .*$/m.exec(operations) ?? [];
  const answer = await server.say(rule.replace('PASSWORD', 'secret'));
  if (!answer.startsWith('+OK')) throw new Error(`${rule}: ${answer}`);
  return server.url.replace('://', '://broker:secret@');
}

/** Servers still up when the tests end early. */
const orphans = new Set<() => void>();
process.once('exit', () => {
  for (const end of orphans) end();
});

/** Starts a redis-server of the test's own on a free port. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  if (!(await installed())) throw new Error(NOT_INSTALLED);
  const directory = await mkdtemp(join(tmpdir(), 'broker-redis-'));
  const port = await freePort(options.busPort === true);
  const tlsPort = options.tlsPort ? await freePort() : 0;
  const args = [...(tlsPort ? ['--tls-port', `${tlsPort}`] : []), ...(options.args ?? [])];
  let server = await run(port, directory, { ...options, args });

  const kill = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill('SIGKILL');
    await exited;
  };
  const orphaned = () => server.kill('SIGKILL');
  orphans.add(orphaned);

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    tlsPort,
    pid: () => server.pid ?? 0,
    kill,
    freeze: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    restart: async () => {
      await kill();
      server = await run(port, directory, { ...options, args });
    },
    say: (command) => say(port, command),
    stop: async () => {
      await kill();
      orphans.delete(orphaned);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function installed(): Promise<boolean> {
  try {
    await promisify(execFile)('redis-server', ['--version']);
    return true;
  } catch {
    return false;
  }
}

async function run(port: number, directory: string, options: RedisOptions): Promise<ChildProcess> {
  const kept = options.appendonly ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  const server = spawn(
    'redis-server',
    ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', '', ...kept, ...(options.args ?? [])],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  for (const output of [server.stdout, server.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
  }
  const deadline = Date.now() + ANSWERS_WITHIN_MS;
  // Another server may have taken the port: its answer is not meant.
  const answers = async () =>
    (await say(port, 'PING')).startsWith('+PONG') &&
    (await say(port, 'INFO server')).includes(`process_id:${server.pid}\r\n`);
  while (!(await answers())) {
    if (server.exitCode !== null || Date.now() > deadline) {
      server.kill('SIGKILL');
      throw new Error(`redis-server did not start on port ${port}: ${said}`);
    }
    await delay(10);
  }
  return server;
}

function say(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write(`${command}\r\n`));
    socket.setEncoding('utf8');
    socket.once('data', (answer: string) => {
      resolve(answer);
      socket.destroy();
    });
    socket.once('error', () => resolve(''));
    socket.once('close', () => resolve(''));
  });
}
