import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import { PAGE } from './page.ts';

/** Whoever is on this machine may look; nobody else gets here. */
const HOST = '127.0.0.1';
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
/** Nothing that a client sends is read. */
const MAX_PAYLOAD_BYTES = 1024;
/** A client for which more than this waits is let go. */
const MAX_BUFFERED_BYTES = 16_777_216;
const CLOSE_WITHIN_MS = 1000;
/** A greeting is sent in steps of about this size, and the next one when this has left: there may be very many actors. */
const STEP_BYTES = 262_144;

/** What a client is told first: who is there, by their ids, and of each how it stands; undefined when it is gone. */
type Greeting = { readonly ids: () => Iterable<string>; readonly frameOf: (id: string) => string | undefined };

/** The inspector's relay: a page to open, and a WebSocket that only sends. */
export class InspectorServer {
  readonly #port: number;
  readonly #http: Server;
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD_BYTES });
  readonly #greeting: Greeting;
  /** Of whom a client is still to be told. */
  readonly #untold = new WeakMap<WebSocket, Set<string>>();

  constructor(port: number, greeting: Greeting) {
    this.#port = port;
    this.#greeting = greeting;
    this.#http = createServer(answer);
    this.#http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (isWelcome(request.headers.origin)) this.#open(request, socket, head);
      else refuse(socket);
    });
  }

  /** Whether anybody looks. */
  get watched(): boolean {
    return this.#webSockets.clients.size > 0;
  }

  /** Resolves to the address to open. */
  listen(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#http.once('error', (cause) => {
        const why = `INSPECT_PORT ${this.#port} cannot be listened on; stop what listens there, or set another`;
        reject(new Error(why, { cause }));
      });
      this.#http.listen(this.#port, HOST, () => {
        const address = this.#http.address();
        resolve(`http://${HOST}:${typeof address === 'object' && address ? address.port : this.#port}`);
      });
    });
  }

  /** Sends what is about `id` to all who know of it: whoever does not yet will be told how it stands by then. */
  send(id: string, frame: string): void {
    for (const client of this.#webSockets.clients) {
      if (this.#untold.get(client)?.has(id)) continue;
      if (client.bufferedAmount > MAX_BUFFERED_BYTES) client.terminate();
      else client.send(frame);
    }
  }

  /** Sends what waits, for a moment, and closes. */
  async close(): Promise<void> {
    const { clients } = this.#webSockets;
    for (const socket of clients) socket.close(1001, 'The broker stops.');
    const late = setTimeout(() => {
      for (const socket of clients) socket.terminate();
      this.#http.closeAllConnections();
    }, CLOSE_WITHIN_MS);
    await new Promise((resolve) => this.#http.close(resolve));
    clearTimeout(late);
  }

  #open(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#webSockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      void this.#greet(client);
    });
  }

  async #greet(client: WebSocket): Promise<void> {
    const untold = new Set(this.#greeting.ids());
    this.#untold.set(client, untold);
    let bytes = 0;
    for (const id of untold) {
      untold.delete(id);
      const frame = this.#greeting.frameOf(id);
      if (frame === undefined) continue;
      bytes += frame.length;
      const left = new Promise<void>((resolve) => client.send(frame, () => resolve()));
      if (bytes < STEP_BYTES) continue;
      bytes = 0;
      await left;
      // What a socket takes at once leaves before anybody else has a turn.
      await nextTurn();
      if (client.readyState !== WebSocket.OPEN) return;
    }
  }
}

function answer({ url }: IncomingMessage, response: ServerResponse): void {
  if (url === '/') response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
  else response.writeHead(404, { 'content-type': 'text/plain' }).end('The inspector is at /.\n');
}

/** A browser always tells whose page it is that connects; what tells nothing is a program on this machine. */
function isWelcome(origin: string | undefined): boolean {
  return origin === undefined || LOOPBACK.has(URL.parse(origin)?.hostname ?? '');
}

function refuse(socket: Duplex): void {
  const why = 'Pages of this origin may not look; open the address that the broker printed.\n';
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: ${why.length}\r\nConnection: close\r\n\r\n${why}`,
  );
}
