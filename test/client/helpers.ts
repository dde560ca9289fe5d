import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ExecutionContext } from 'ava';
import type { BrokerEvent } from '../../src/client/index.ts';
import type { StreamEvent } from '../helpers/client.ts';

/** What the client library should make of events as they are on the wire. */
export function asTheyShouldBe(events: readonly StreamEvent[]): readonly unknown[] {
  return events.map(({ id, event, data }) =>
    event === undefined
      ? { type: 'worker', id: Number(id), data, engine: JSON.parse(data) }
      : { ...JSON.parse(data), type: event, id: Number(id) },
  );
}

/** Events of the log, without what was told in passing. */
export function stored(events: readonly BrokerEvent[]): readonly BrokerEvent[] {
  return events.filter(({ id }) => id !== undefined);
}

/** A text of all sorts of characters: cuts fall inside of them. */
export const TEXT = 'Im Anfang war das Wort – בְּרֵאשִׁית, 太初有道 😀';

/** A web server for one test; answers its address. */
export async function aServer(
  t: ExecutionContext,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return `http://127.0.0.1:${portOf(server)}`;
}

/** Where nobody listens. */
export async function aFreeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('The server listens on no port.');
  return address.port;
}
