import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** `to` the server behind, or `from` it. */
export type Direction = 'to' | 'from';

type Pair = Readonly<Record<Direction, Socket>>;

/** Stands between a broker and its Redis, and fails as a network does. */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #held = new Set<Direction>();
  #cut = false;

  /** Takes connections for the server on `target`, a port of this machine. */
  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  constructor(target: number) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#join(socket, target));
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address !== 'object' || !address) throw new Error('The proxy listens on no port.');
    return address.port;
  }

  /** Breaks every connection and takes no new one until `heal`. */
  cut(): void {
    this.#cut = true;
    for (const { to, from } of this.#pairs) {
      reset(to);
      reset(from);
    }
  }

  /** Passes nothing on in these directions until `heal`, which lets through what has come by then. Connections stay open. */
  hold(directions: readonly Direction[]): void {
    for (const direction of directions) {
      this.#held.add(direction);
      for (const pair of this.#pairs) pair[direction].pause();
    }
  }

  heal(): void {
    this.#cut = false;
    this.#held.clear();
    for (const { to, from } of this.#pairs) {
      to.resume();
      from.resume();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  /** The socket that a direction is read from bears its name. */
  #join(to: Socket, target: number): void {
    if (this.#cut) {
      reset(to);
      return;
    }
    const from = createConnection({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    const pair: Pair = { to, from };
    this.#pairs.add(pair);
    for (const direction of this.#held) pair[direction].pause();
    for (const [source, sink] of [
      [to, from],
      [from, to],
    ] as const) {
      source.on('data', (bytes) => sink.write(bytes));
      source.on('end', () => sink.end());
      source.on('error', () => sink.destroy());
      source.on('close', () => {
        sink.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}

/** Breaks a connection. Node.js never lets go of a socket that is reset while it is being ended, and then cannot exit. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
