import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Call, CallLog } from './calls.ts';
import type { Answer, Plan } from './reply.ts';
import { cutEvery, cutRandomly, frame, join, type Random } from './wire.ts';

/** Pauses that can be ended all at once. */
export class Pauses {
  readonly #pending = new Map<NodeJS.Timeout, (alive: boolean) => void>();

  /** True after `ms`; false when the pauses were cleared before. */
  wait(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#pending.delete(timer);
        resolve(true);
      }, ms);
      this.#pending.set(timer, resolve);
    });
  }

  /** Ends the pauses that are on: what waited goes on at once. */
  skip(): void {
    this.#end(true);
  }

  clear(): void {
    this.#end(false);
  }

  #end(alive: boolean): void {
    for (const [timer, resolve] of this.#pending) {
      clearTimeout(timer);
      resolve(alive);
    }
    this.#pending.clear();
  }
}

export interface Stage {
  log: CallLog;
  pauses: Pauses;
  /** False once the worker went down: the work ends with it. */
  alive: () => boolean;
  keepaliveMs: number;
  cut: number | 'none' | 'random';
  crlf: boolean;
  random: Random;
  /** Called when all the work is done, right before the end goes out. */
  ending: () => void;
}

const STREAM_HEADERS = [
  'Transfer-Encoding',
  'chunked',
  'Content-Type',
  'text/event-stream',
  'Cache-Control',
  'no-cache',
];
const KEEPALIVE = '{"type":"keepalive"}';

/** Carries out one plan on one response. Ends when the work is done, the worker is down, or (hang, stall) the connection is gone. */
export async function play(plan: Plan, response: ServerResponse, call: Call, stage: Stage): Promise<void> {
  const { log } = stage;
  response.sendDate = false;
  response.removeHeader('Connection');
  noteLeaving(response, () => log.end(call, true));
  const delayMs = 'delayMs' in plan ? (plan.delayMs ?? 0) : 0;
  if (delayMs > 0 && !((await stage.pauses.wait(delayMs)) && stage.alive())) return;
  switch (plan.kind) {
    case 'hang':
      return;
    case 'reset':
      log.end(call);
      log.finish(call);
      reset(response.req.socket);
      return;
    case 'answer':
      stage.ending();
      call.status = plan.status;
      log.end(call);
      log.finish(call);
      if (!response.destroyed) send(response, plan);
      return;
    case 'stream':
      return stream(plan, response, call, stage);
  }
}

/**
 * Tells of a client that goes before the response is over, as soon as that can be read from its connection. The
 * response's own `close` comes some turns of the event loop later: by then the client's next call may be here.
 */
function noteLeaving(response: ServerResponse, left: () => void): void {
  const { socket } = response.req;
  if (socket.readableEnded || socket.destroyed) left();
  const signs = ['end', 'error'];
  for (const sign of signs) socket.once(sign, left);
  response.once('close', () => {
    for (const sign of signs) socket.off(sign, left);
    left();
  });
}

/** Breaks a connection. Node.js never lets go of a socket that is reset while it is being ended, and then cannot exit. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/** Writes a whole response with exactly the engine's headers. */
export function send(response: ServerResponse, { status, type, body, retryAfter }: Answer): void {
  const headers = ['Content-Length', String(Buffer.byteLength(body)), 'Content-Type', type];
  if (retryAfter !== undefined) headers.push('Retry-After', retryAfter);
  response.sendDate = false;
  response.removeHeader('Connection');
  response.writeHead(status, headers);
  response.end(body);
}

async function stream(
  plan: Extract<Plan, { kind: 'stream' }>,
  response: ServerResponse,
  call: Call,
  stage: Stage,
): Promise<void> {
  const { log, pauses, alive } = stage;
  call.status = 200;
  response.writeHead(200, STREAM_HEADERS);
  /** Cut writes happen one after the other. */
  let line = Promise.resolve();
  const write = (batch: readonly (string | Uint8Array)[], last: boolean): Promise<void> | undefined => {
    if (batch.length > 0)
      log.sent(
        call,
        batch.map((data) => (typeof data === 'string' ? data : Buffer.from(data).toString())),
      );
    if (response.destroyed) return undefined;
    const bytes = join(batch.map((data) => frame(data, stage.crlf)));
    if (stage.cut === 'none') {
      if (last) log.end(call);
      return put(response, bytes, last);
    }
    line = line
      .then(() => putPieces(response, bytes, stage))
      .then(() => {
        if (!last || response.destroyed) return;
        log.end(call);
        response.end();
      });
    return line;
  };

  const paced = plan.steps.some((step) => step.delayMs > 0);
  const keepalive = paced ? setInterval(() => void write([KEEPALIVE], false), stage.keepaliveMs) : undefined;
  try {
    let batch: (string | Uint8Array)[] = [];
    for (const step of plan.steps) {
      if (step.delayMs > 0) {
        if (batch.length > 0) await write(batch, false);
        batch = [];
        if (!(await pauses.wait(step.delayMs)) || !alive()) return;
      }
      batch.push(step.data);
    }
    if (plan.end === 'finish') stage.ending();
    await write(batch, plan.end === 'finish');
    if (plan.end === 'stall') return;
    if (plan.end === 'destroy') {
      if (!response.destroyed) await flushed(response);
      log.end(call);
      response.destroy();
    }
    log.finish(call);
  } finally {
    clearInterval(keepalive);
  }
}

async function putPieces(response: ServerResponse, bytes: string | Uint8Array, stage: Stage): Promise<void> {
  const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const pieces =
    stage.cut === 'random'
      ? cutRandomly(buffer, stage.random)
      : cutEvery(buffer, stage.cut === 'none' ? buffer.length : stage.cut);
  for (const piece of pieces) {
    // A keepalive may still stand in line behind the end.
    if (response.destroyed || response.writableEnded) return;
    await put(response, piece, false);
    await new Promise<void>((resolve) => void setImmediate(resolve));
  }
}

/** Writes at once; answers a promise only when the client has to catch up first. */
function put(response: ServerResponse, bytes: string | Uint8Array, last: boolean): Promise<void> | undefined {
  if (last) {
    response.end(bytes);
    return undefined;
  }
  if (bytes.length === 0 || response.write(bytes)) return undefined;
  return new Promise((resolve) => {
    const on = (): void => {
      response.off('drain', on);
      response.off('close', on);
      resolve();
    };
    response.on('drain', on);
    response.on('close', on);
  });
}

/** All that was written has been handed to the system: a break after this loses none of it. */
function flushed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const on = (): void => {
      response.off('close', on);
      resolve();
    };
    response.once('close', on);
    response.write('', on);
  });
}
