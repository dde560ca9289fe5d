import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One callback as it came. */
interface Received {
  method: string;
  path: string;
  /** Names and values, in their order. */
  headers: readonly (readonly [string, string])[];
  body: string;
}

export interface Receiver extends AsyncDisposable {
  url: string;
  received: Received[];
}

/** A client that takes callbacks and answers each with `status`. */
export async function startReceiver(status = 200): Promise<Receiver> {
  const received: Received[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
    const raw = request.rawHeaders;
    const headers = raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ''] as const] : []));
    const { method = '', url: path = '' } = request;
    received.push({ method, path, headers, body: Buffer.concat(chunks).toString() });
    response.writeHead(status).end();
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/__callback`,
    received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => void server.close(resolve));
    },
  };
}
