import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIPv6, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CallRecord } from './calls.ts';
import { History } from './history.ts';
import { bearerOf } from './links.ts';
import { Moments } from './moments.ts';
import { send } from './play.ts';
import type { CallbackRecord } from './postbox.ts';
import { type Answer, httpError } from './reply.ts';
import type { Endpoint } from './request.ts';
import { RequestLog, type RequestRecord } from './requests.ts';
import { isUpload, Resources } from './resources.ts';
import { type TurnOptions, Turns } from './turns.ts';
import { Voices } from './voices.ts';

export type { CallRecord } from './calls.ts';
export type { Directives } from './directives.ts';
export type { CallbackRecord } from './postbox.ts';
export type { RequestRecord } from './requests.ts';

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  '/api/v1/chat/stream': 'stream',
  '/api/v1/chat': 'final',
  '/api/v1/chat/callback': 'callback',
};
const HEALTHY: Answer = { kind: 'answer', status: 200, type: 'application/json', body: '{"status":"healthy"}' };

export interface SimulatedWorkerOptions extends TurnOptions {
  /** 0, the default, takes a free one. */
  port?: number;
  host?: string;
  /** What calls must send as `Authorization: Bearer …`; unset: anything goes. */
  apiKey?: string;
  /** Told of each request for anything but `/chat/stream` and `/health` when its response is over. */
  onRequest?: (request: RequestRecord) => void;
}

/** Starts a stand-in for the AI engine on a real port. */
export async function startSimulatedWorker(options: SimulatedWorkerOptions = {}): Promise<SimulatedWorker> {
  const worker = new SimulatedWorker(options);
  await worker.start();
  return worker;
}

/** A running stand-in for the AI engine. */
export class SimulatedWorker implements AsyncDisposable {
  readonly #options: SimulatedWorkerOptions;
  readonly #moments = new Moments();
  readonly #history = new History();
  readonly #voices = new Voices();
  readonly #turns: Turns;
  readonly #requests: RequestLog;
  readonly #resources: Resources;
  readonly #host: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port: number;

  constructor(options: SimulatedWorkerOptions) {
    this.#options = options;
    this.#turns = new Turns(options, this.#moments, this.#history, this.#voices);
    this.#requests = new RequestLog(this.#moments, options.onRequest);
    this.#resources = new Resources(this.#history, this.#voices, this.#requests);
    this.#host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
  }

  /** Steers calls; may be set and changed at any time. */
  get respond(): TurnOptions['respond'] {
    return this.#turns.respond;
  }

  set respond(respond: TurnOptions['respond']) {
    this.#turns.respond = respond;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://${isIPv6(this.#host) ? `[${this.#host}]` : this.#host}:${this.#port}`;
  }

  /** Every call of `/chat/stream`, oldest first; live. Refused ones too. */
  get calls(): readonly CallRecord[] {
    return this.#turns.streams.calls;
  }

  /** Every request for anything but `/chat/stream` and `/health`, oldest first; live. Refused ones too. */
  get requests(): readonly RequestRecord[] {
    return this.#requests.requests;
  }

  /** Every callback that the worker has made for `/chat/callback`, oldest first; live. */
  get callbacks(): readonly CallbackRecord[] {
    return this.#turns.postbox.posts;
  }

  /** Responses of `/chat/stream` open right now, and the most that ever were. */
  get open(): number {
    return this.#turns.streams.open;
  }

  get maxOpen(): number {
    return this.#turns.streams.maxOpen;
  }

  /** The queues (users or groups) that had two responses open at once. */
  overlaps(): string[] {
    return this.#turns.streams.overlaps();
  }

  /** Waits until there have been `n` calls. */
  waitForCalls(n: number): Promise<readonly CallRecord[]> {
    return this.#moments.until(() => (this.#turns.streams.total >= n ? this.calls : undefined));
  }

  /** The first call, already made or still to come, that matches. */
  onCall(match: (call: CallRecord) => boolean = () => true): Promise<CallRecord> {
    return this.#moments.until(() => this.calls.find(match));
  }

  /** Waits until `probe` gives something other than undefined; asked again after each call, data line, end, finish, request and callback. */
  until<T>(probe: () => T | undefined): Promise<T> {
    return this.#moments.until(probe);
  }

  /** Lets every call that pauses right now (`ttft`, `chunk`) go on at once. */
  hurry(): void {
    this.#turns.pauses.skip();
  }

  /** Forgets all calls, requests, callbacks, history and audio so far, for benches that make very many. */
  forget(): void {
    this.#turns.forget();
    this.#requests.forget();
    this.#history.forget();
    this.#voices.forget();
  }

  /** Listens (again, on the same port). */
  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer(
      { keepAliveTimeout: 120_000, requestTimeout: 0 },
      (request, response) => void this.#handle(request, response),
    );
    this.#server = server;
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
    this.#turns.stop();
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Stops for good; whoever waits for calls gets an error. */
  async close(): Promise<void> {
    await this.stop();
    this.#moments.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What came before this request is read first, and it may have been read sooner than that: a connection's last
    // bytes and its end take two turns. Otherwise a broker that left one call and made the next would seem to overlap.
    await nextTurn();
    await nextTurn();
    const startedAt = this.#moments.tick();
    const { method, url = '' } = request;
    const [path = ''] = url.split('?', 1);
    const refusal = path.startsWith('/api/') ? this.#unauthorized(request) : undefined;
    if (refusal === undefined && isUpload(method, path)) return this.#resources.upload(request, response, startedAt);
    const raw = await read(request);
    if (raw === undefined) return;
    if (method === 'GET' && path === '/health') return send(response, HEALTHY);
    const endpoint = method === 'POST' ? ENDPOINTS[path] : undefined;
    const record = endpoint === 'stream' ? undefined : this.#requests.begin(request, response, startedAt, raw);
    if (endpoint !== undefined) return this.#turns.take({ endpoint, request, response, raw, startedAt, refusal });
    if (refusal !== undefined) return send(response, refusal);
    if (record !== undefined) return this.#resources.serve(request, response, record);
  }

  #unauthorized(request: IncomingMessage): Answer | undefined {
    const { apiKey } = this.#options;
    if (apiKey === undefined) return undefined;
    const key = bearerOf(request);
    if (key === undefined) return httpError(401);
    return key === apiKey ? undefined : httpError(403);
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
