import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIPv6, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Call, CallLog, type CallRecord } from './calls.ts';
import { type Directives, forCall, parseDirectives } from './directives.ts';
import { answer, Pauses, play } from './play.ts';
import { httpError, type Plan, planReply } from './reply.ts';
import { type Body, type ChatRequest, parseBody, readRequest } from './request.ts';
import { seeded } from './wire.ts';

export type { CallRecord } from './calls.ts';
export type { Directives } from './directives.ts';

export interface SimulatedWorkerOptions {
  /** 0, the default, takes a free one. */
  port?: number;
  host?: string;
  /** What calls must send as `Authorization: Bearer …`; unset: anything goes. */
  apiKey?: string;
  /** Milliseconds before the first progress event, between two, and at most added to each at random. All 0 by default. */
  ttftMs?: number;
  chunkMs?: number;
  jitterMs?: number;
  /** Milliseconds between keepalive events; 30000 by default, as the engine does it. */
  keepaliveMs?: number;
  /** Seed of jitter, cuts and ids. */
  seed?: number;
  /** Cut the stream at random places, also inside a character. */
  cut?: 'none' | 'random';
  /** Steers a call instead of its own directives, when it answers something. */
  respond?: (call: CallRecord) => Directives | undefined;
  /** Told of each call when its response is over. */
  onEnded?: (call: CallRecord) => void;
}

/** Starts a stand-in for the AI engine on a real port. */
export async function startSimulatedWorker(options: SimulatedWorkerOptions = {}): Promise<SimulatedWorker> {
  const worker = new SimulatedWorker(options);
  await worker.start();
  return worker;
}

/** A running stand-in for the AI engine. */
export class SimulatedWorker implements AsyncDisposable {
  /** May be set and changed at any time. */
  respond: ((call: CallRecord) => Directives | undefined) | undefined;
  readonly #options: SimulatedWorkerOptions;
  readonly #log: CallLog;
  readonly #host: string;
  readonly #sockets = new Set<Socket>();
  readonly #running = new Set<Call>();
  readonly #pauses = new Pauses();
  #server: Server | undefined;
  #port: number;
  /** Counts the lives between `start` and `stop`. */
  #life = 0;

  constructor(options: SimulatedWorkerOptions) {
    this.#options = options;
    this.#log = new CallLog(options.onEnded);
    this.#host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
    this.respond = options.respond;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://${isIPv6(this.#host) ? `[${this.#host}]` : this.#host}:${this.#port}`;
  }

  /** Every call of `/chat/stream`, oldest first; live. Refused ones too. */
  get calls(): readonly CallRecord[] {
    return this.#log.calls;
  }

  /** Responses open right now, and the most that ever were. */
  get open(): number {
    return this.#log.open;
  }

  get maxOpen(): number {
    return this.#log.maxOpen;
  }

  /** The queues (users or groups) that had two responses open at once. */
  overlaps(): string[] {
    return this.#log.overlaps();
  }

  /** Waits until there have been `n` calls. */
  waitForCalls(n: number): Promise<readonly CallRecord[]> {
    return this.#log.until(() => (this.#log.total >= n ? this.calls : undefined));
  }

  /** The first call, already made or still to come, that matches. */
  onCall(match: (call: CallRecord) => boolean = () => true): Promise<CallRecord> {
    return this.#log.until(() => this.calls.find(match));
  }

  /** Waits until `probe` gives something other than undefined; asked again after each call, data line, end and finish. */
  until<T>(probe: () => T | undefined): Promise<T> {
    return this.#log.until(probe);
  }

  /** Lets every call that pauses right now (`ttft`, `chunk`) go on at once. */
  hurry(): void {
    this.#pauses.skip();
  }

  /** Forgets the calls so far, for benches that make very many. */
  forget(): void {
    this.#log.forget();
  }

  /** Listens (again, on the same port). */
  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer(
      { keepAliveTimeout: 120_000, requestTimeout: 0 },
      (request, response) => void this.#handle(request, response),
    );
    this.#server = server;
    this.#life++;
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, this.#host, () => resolve());
    }).catch((error: unknown) => {
      this.#server = undefined;
      throw error;
    });
    this.#port = portOf(server.address());
  }

  /** Goes down as a killed process does: breaks every connection, drops all work, leaves the port. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#life++;
    for (const call of this.#running) this.#log.end(call);
    this.#running.clear();
    this.#pauses.clear();
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Stops for good; whoever waits for calls gets an error. */
  async close(): Promise<void> {
    await this.stop();
    this.#log.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What came before this request is read first, and it may have been read sooner than that: a connection's last
    // bytes and its end take two turns. Otherwise a broker that left one call and made the next would seem to overlap.
    await nextTurn();
    await nextTurn();
    const startedAt = this.#log.tick();
    const raw = await read(request);
    if (raw === undefined) return;
    const [path = ''] = (request.url ?? '').split('?', 1);
    if (request.method === 'GET' && path === '/health')
      return answer(response, 200, 'application/json', '{"status":"healthy"}');
    const refusal = path.startsWith('/api/') ? this.#unauthorized(request) : undefined;
    if (request.method === 'POST' && path === '/api/v1/chat/stream')
      return this.#chat(request, response, raw, startedAt, refusal);
    const { status, type, body } = refusal ?? httpError(404, undefined, 'Not found');
    return answer(response, status, type, body);
  }

  async #chat(
    request: IncomingMessage,
    response: ServerResponse,
    raw: string,
    startedAt: number,
    refusal: Plan | undefined,
  ): Promise<void> {
    const body: Body | undefined = parseBody(raw);
    const chat = readRequest(body);
    const known = typeof chat === 'string' ? { user_id: '', queue: '', text: '' } : chat;
    const busy = this.#log.busy(known.queue);
    const { user_id, queue, text: message } = known;
    const call = this.#log.begin({ startedAt, user_id, queue, message, body: body ?? {}, headers: request.headers });
    this.#running.add(call);
    const { seed = 1, keepaliveMs = 30_000, cut = 'none' } = this.#options;
    const random = seeded(seed + call.n * 7919);
    const steering = parseDirectives(message);
    const steer = forCall(this.respond?.(call) ?? steering.directives, call.nth);
    const plan =
      refusal ??
      (typeof chat === 'string'
        ? httpError(400, undefined, chat)
        : this.#plan(chat, steer, steering.rest, request, busy, call.n, random));
    const life = this.#life;
    const alive = (): boolean => life === this.#life;
    await play(plan, response, call, {
      log: this.#log,
      pauses: this.#pauses,
      alive,
      keepaliveMs,
      cut: steer.cut ?? cut,
      crlf: steer.crlf ?? false,
      random,
    });
    if (call.endedAt !== undefined) this.#running.delete(call);
    else response.once('close', () => this.#running.delete(call));
  }

  #plan(
    chat: ChatRequest,
    steer: Directives,
    rest: string,
    request: IncomingMessage,
    busy: boolean,
    n: number,
    random: () => number,
  ): Plan {
    const { ttftMs = 0, chunkMs = 0, jitterMs = 0 } = this.#options;
    const origin = `http://${request.headers.host ?? new URL(this.url).host}`;
    return planReply(chat, steer, rest, { ttftMs, chunkMs, jitterMs, random, origin, busy, n });
  }

  #unauthorized(request: IncomingMessage): ReturnType<typeof httpError> | undefined {
    const { apiKey } = this.#options;
    if (apiKey === undefined) return undefined;
    const token = /^Bearer +([^ ].*)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) return httpError(401);
    return token === apiKey ? undefined : httpError(403);
  }
}

/** The whole body; undefined when the client left before its end. */
async function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks).toString();
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The simulated worker listens on no port.');
  return address.port;
}
