import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { INSPECTOR_ORIGIN, PAGE } from './page.ts';

/** Whoever is on this machine may look; nobody else gets here. */
const HOST = '127.0.0.1';
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
/** Nothing that a client sends is read. */
const MAX_PAYLOAD_BYTES = 1024;
/** A client for which more than this waits is let go. */
const MAX_BUFFERED_BYTES = 16_777_216;
const CLOSE_WITHIN_MS = 1000;

/** The inspector's relay: a page to open, and a WebSocket that only sends. */
export class InspectorServer {
  readonly #port: number;
  readonly #http: Server;
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD_BYTES });

  /** `greeting`: what a client is sent before anything else. */
  constructor(port: number, greeting: () => Iterable<string>) {
    this.#port = port;
    this.#http = createServer(answer);
    this.#http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (isWelcome(request.headers.origin)) this.#open(request, socket, head, greeting);
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

  send(frame: string): void {
    for (const socket of this.#webSockets.clients) {
      if (socket.bufferedAmount > MAX_BUFFERED_BYTES) socket.terminate();
      else socket.send(frame);
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

  #open(request: IncomingMessage, socket: Duplex, head: Buffer, greeting: () => Iterable<string>): void {
    this.#webSockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => client.terminate());
      for (const frame of greeting()) client.send(frame);
    });
  }
}

function answer({ url }: IncomingMessage, response: ServerResponse): void {
  if (url === '/') response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
  else response.writeHead(404, { 'content-type': 'text/plain' }).end('The inspector is at /.\n');
}

/** A browser always tells whose page it is that connects; what tells nothing is a program on this machine. */
function isWelcome(origin: string | undefined): boolean {
  return origin === undefined || origin === INSPECTOR_ORIGIN || LOOPBACK.has(URL.parse(origin)?.hostname ?? '');
}

function refuse(socket: Duplex): void {
  const why = 'Pages of this origin may not look; open the address that the broker printed.\n';
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: ${why.length}\r\nConnection: close\r\n\r\n${why}`,
  );
}
