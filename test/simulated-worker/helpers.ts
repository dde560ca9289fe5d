import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import {
  type CallRecord,
  type SimulatedWorker,
  type SimulatedWorkerOptions,
  startSimulatedWorker,
} from '../../src/simulated-worker/server.ts';

export interface Answered {
  /** Status line and headers, exactly. */
  head: string;
  status: number;
  /** The de-chunked body. */
  body: Buffer;
  /** The HTTP chunks of the body (one entry when it was not chunked). */
  chunks: Buffer[];
  /** The response came to its proper end. */
  whole: boolean;
  error: string | undefined;
}

export const message = (text: string, more: object = {}): object => ({
  client_id: 'web',
  user_id: 'u1',
  message: text,
  message_type: 'text',
  ...more,
});

/** One raw HTTP/1.1 exchange over a socket of its own: what came, byte for byte. */
export function send(
  worker: { port: number },
  body: unknown,
  options: { headers?: Record<string, string>; path?: string; method?: string; signal?: AbortSignal } = {},
): Promise<Answered> {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = Object.entries({
    Host: `127.0.0.1:${worker.port}`,
    'Content-Type': 'application/json',
    'Content-Length': String(Buffer.byteLength(payload)),
    Connection: 'close',
    ...options.headers,
  });
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    let error: string | undefined;
    const socket = connect(worker.port, '127.0.0.1', () => {
      const head = `${options.method ?? 'POST'} ${options.path ?? '/api/v1/chat/stream'} HTTP/1.1`;
      socket.write([head, ...headers.map(([name, value]) => `${name}: ${value}`), '', payload].join('\r\n'));
    });
    const leave = (): void => void socket.destroy();
    options.signal?.addEventListener('abort', leave);
    socket.on('data', (data: Buffer) => received.push(data));
    socket.on('error', (fault: NodeJS.ErrnoException) => (error = fault.code));
    socket.on('close', () => resolve({ ...split(Buffer.concat(received)), error }));
  });
}

function split(bytes: Buffer): Omit<Answered, 'error'> {
  const at = bytes.indexOf('\r\n\r\n');
  if (at === -1) return { head: '', status: 0, body: Buffer.alloc(0), chunks: [], whole: false };
  const head = bytes.subarray(0, at).toString();
  const status = Number(head.split(' ')[1]);
  let rest = bytes.subarray(at + 4);
  if (!/^transfer-encoding: chunked/im.test(head))
    return {
      head,
      status,
      body: rest,
      chunks: [rest],
      whole: rest.length === Number(/^content-length: (\d+)/im.exec(head)?.[1]),
    };
  const chunks: Buffer[] = [];
  for (;;) {
    const line = rest.indexOf('\r\n');
    const size = Number.parseInt(rest.subarray(0, Math.max(0, line)).toString(), 16);
    if (line === -1 || !(size > 0)) return { head, status, body: Buffer.concat(chunks), chunks, whole: size === 0 };
    chunks.push(rest.subarray(line + 2, line + 2 + size));
    rest = rest.subarray(line + 4 + size);
  }
}

/** The data lines of an event stream, as text. */
export function lines(body: Buffer): string[] {
  return body
    .toString()
    .split(/\r?\n\r?\n/)
    .filter((part) => part !== '')
    .map((part) => part.replace(/^data: /, ''));
}

export interface Recorded {
  title: string;
  request: { method: string; path: string; headers: Record<string, string>; body: string };
  head: string;
  body: string;
  events: string[];
  /** What the callback URL was told of it: the JSON texts. */
  callbacks: string[];
}

/** All exchanges of one recording of the real engine. */
export function recordings(name: string): Recorded[] {
  const text = readFileSync(new URL(`./recordings/${name}`, import.meta.url), 'utf8');
  return text
    .split(/^### /m)
    .slice(1)
    .flatMap((part) => {
      const request = /--- request \(verbatim\)\n([A-Z]+) (\S+) HTTP\/1\.1\n((?:.+\n)*)\n(.*)/.exec(part);
      const response = /--- response:.*\n((?:\[\+.*\n)+)/.exec(part)?.[1];
      if (request === null || response === undefined) return [];
      const [, method = '', path = '', headers = '', asked = ''] = request;
      const wire = response
        .split('\n')
        .map((line) => line.replace(/^\[\+ *\d+ ms\] /, ''))
        .join('')
        .replace(/\\(\\|r|n|t)/g, (_, char: string) => ({ r: '\r', n: '\n', t: '\t' })[char] ?? char);
      const { head, body } = split(Buffer.from(wire));
      return [
        {
          title: part.split('\n', 1)[0] ?? '',
          request: { method, path, headers: headersOf(headers), body: asked },
          head,
          body: body.toString(),
          events: lines(body),
          callbacks: [...part.matchAll(/^(?: {4}|\[\+ *\d+ ?ms\] )(\{"type".*)$/gm)].map(([, json = '']) => json),
        },
      ];
    });
}

/** The headers of a recorded request; its length is that of whatever is sent instead. */
function headersOf(recorded: string): Record<string, string> {
  const headers = recorded
    .trim()
    .split('\n')
    .map((line) => line.split(': '));
  return Object.fromEntries(
    headers.map(([name = '', value = '']) => [name, value]).filter(([name]) => name !== 'Content-Length'),
  );
}

/** What differs from run to run: ids, the address, the time, and the long text of one tool. */
export const steady = (line: string): string =>
  line
    .replace(/req_fake_\d+/g, 'req_fake_N')
    .replace(/http:\/\/[^/"]+/g, 'http://ORIGIN')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'UUID')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, 'TIME')
    .replace(/("timestamp":)\d{13}/g, '$1NOW')
    .replace(/(Audio response requested\. Your text response will be converted to speech\.)[^]*"\}/, '$1"}');

/** Runs `use` against a worker of its own. */
export async function withWorker(
  options: SimulatedWorkerOptions,
  use: (worker: SimulatedWorker) => Promise<void>,
): Promise<void> {
  await using worker = await startSimulatedWorker(options);
  await use(worker);
}

export const ended = (worker: SimulatedWorker, n = 1): Promise<CallRecord> =>
  worker.until(() => worker.calls.find((call) => call.n === n && call.endedAt !== undefined));
