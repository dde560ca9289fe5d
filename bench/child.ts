import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/helpers/port.ts';

const TICKS_IN_A_SECOND = 100;

type Environment = Readonly<Record<string, string>>;

/** Processes still up when the bench ends early. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program of the bench in a process of its own, which listens on `PORT`. */
export class Child {
  readonly url: string;
  /** Of the program itself, where `npm` has started it. */
  readonly pid: number;
  /** In ms since 1970. */
  readonly startedAt: number;
  /** When it listened, in ms since 1970. */
  readonly readyAt = Date.now();
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string, startedAt: number) {
    this.#child = child;
    this.url = url;
    this.pid = lastOf(child.pid ?? 0);
    this.startedAt = startedAt;
  }

  /** `file`: relative to this folder. */
  static start(file: string, env: Environment, flags: readonly string[] = []): Promise<Child> {
    return Child.#run(process.execPath, [...flags, fileURLToPath(new URL(file, import.meta.url))], env);
  }

  /** A broker as people start it. */
  static npmStart(env: Environment): Promise<Child> {
    return Child.#run('npm', ['start', '--silent'], env);
  }

  static async #run(command: string, flags: readonly string[], env: Environment): Promise<Child> {
    const port = await freePort();
    const startedAt = Date.now();
    const child = spawn(command, flags, {
      env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: String(port), ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    running.add(child);
    child.once('exit', () => running.delete(child));
    const url = `http://127.0.0.1:${port}`;
    while (!(await answers(port))) {
      const end = child.exitCode ?? child.signalCode;
      if (end !== null) throw new Error(`${flags.at(-1)} ended with ${end}`);
      await delay(5);
    }
    return new Child(child, url, startedAt);
  }

  /** What it answers to a question over IPC. */
  async ask(question: string): Promise<unknown> {
    const answer = once(this.#child, 'message');
    this.#child.send(question);
    return (await answer)[0];
  }

  /** Lets it end by itself, so that it can write its profile. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(late);
  }
}

/** The process that a process has started, and so on; itself if it has started none. */
function lastOf(pid: number): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return child ? lastOf(Number(child)) : pid;
}

/** User and system time of a process so far, in ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user = 0, system = 0] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map(Number);
  return ((user + system) * 1000) / TICKS_IN_A_SECOND;
}

/** Resident memory of a process, in bytes. */
export function memory(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
