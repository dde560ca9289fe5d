import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { ExecutionContext } from 'ava';
import { onFreePort } from './port.ts';

/** One callback as it came in. */
export type Call = {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
};

/** What an endpoint answers: a status, and headers if it has to say more. */
export type Reply = { readonly status: number; readonly headers?: Record<string, string> };

/** A server of callbacks, and all that came in. `respond` may be changed at any time. */
export async function anEndpoint(t: ExecutionContext, respond: (call: Call) => Reply = () => ({ status: 204 })) {
  const calls: Call[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => void take(request, response));
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const said = await text(request);
    const call = { headers: request.headers, text: said, body: JSON.parse(said || '{}') };
    calls.push(call);
    const { status, headers } = endpoint.respond(call);
    response.writeHead(status, headers).end();
    for (const wake of waiting) wake();
  };
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  };
  const close = async () => {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  const port = await onFreePort(listen);
  t.teardown(close);
  const endpoint = {
    calls,
    respond,
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/hook`,
    /** Nobody is there until `start`. */
    stop: close,
    start: () => listen(port),
    /** Resolves once `holds` does, which is asked after each call. */
    until: async (holds: () => boolean) => {
      while (!holds()) {
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            resolve();
          };
          waiting.add(wake);
        });
      }
    },
  };
  return endpoint;
}
