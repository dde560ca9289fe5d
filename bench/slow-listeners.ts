/**
 * What listeners that take nothing cost the broker: its memory with none and with many of them on one message, while the
 * worker streams on. `npm run bench:listeners -- --listeners 1000 --megabytes 20`
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startSimulatedWorker } from '../src/simulated-worker/server.ts';

const EVENT_BYTES = 1000;
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

const { values } = parseArgs({
  options: {
    listeners: { type: 'string', default: '1000' },
    megabytes: { type: 'string', default: '20' },
  },
});
const most = Number(values.listeners);
const events = Math.round((Number(values.megabytes) * 1_000_000) / EVENT_BYTES);

/** The broker's resident memory in MB. */
async function memory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Opens a stream and never reads from it. Resolves once the broker has begun to answer. */
function deaf(port: number, path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: broker\r\n\r\n`);
    });
    socket.once('readable', () => resolve(socket));
    socket.once('error', reject);
  });
}

async function measure(listeners: number): Promise<{ before: number; peak: number; after: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'));
  const worker = await startSimulatedWorker({ respond: () => ({ ttft: 600_000, events, size: EVENT_BYTES }) });
  const env = { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', STORE: 'embedded', DATA_DIR: directory };
  const broker = spawn(process.execPath, [MAIN], {
    env: { ...env, WORKER_BASE_URL: worker.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = broker.pid ?? 0;
  const port = await new Promise<number>((resolve) => {
    broker.stdout.on('data', (text: Buffer) => {
      const address = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(String(text))?.[1];
      if (address) resolve(Number(address));
    });
  });
  const sockets: Socket[] = [];
  try {
    const body = { user_id: 'u', org_id: 'o', client_id: 'bench', message: 'hello' };
    const headers = { 'content-type': 'application/json' };
    const post = { method: 'POST', headers, body: JSON.stringify(body) };
    const answer: unknown = await (await fetch(`http://127.0.0.1:${port}/api/v1/message`, post)).json();
    const { stream_url: path } = Object(answer);
    while (sockets.length < listeners) sockets.push(await deaf(port, String(path)));
    const before = await memory(pid);
    const reader = await fetch(`http://127.0.0.1:${port}${path}`);
    worker.hurry();
    let peak = before;
    const watch = setInterval(() => void memory(pid).then((now) => (peak = Math.max(peak, now))), 50);
    for await (const _ of reader.body ?? []);
    clearInterval(watch);
    return { before, peak: Math.max(peak, await memory(pid)), after: await memory(pid) };
  } finally {
    for (const socket of sockets) socket.destroy();
    broker.kill('SIGTERM');
    await new Promise((resolve) => broker.once('exit', resolve));
    await worker.close();
    await rm(directory, { recursive: true, force: true });
  }
}

console.log(`${events} events of ${EVENT_BYTES} bytes; resident memory of the broker in MB`);
console.log('listeners  before  peak  end  per listener');
const none = await measure(0);
for (const [listeners, { before, peak, after }] of [[0, none] as const, [most, await measure(most)] as const]) {
  const each = listeners ? `${((1024 * (peak - none.peak)) / listeners).toFixed(0)} kB` : '';
  console.log(
    `${String(listeners).padStart(9)}  ${before.toFixed(0).padStart(6)}  ${peak.toFixed(0).padStart(4)}  ${after.toFixed(0).padStart(3)}  ${each}`,
  );
}
