import { once } from 'node:events';
import { createServer, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';

/** A response that nobody has written to yet, and the client that waits for it. Both are gone when the test is. */
export async function aResponse(t: ExecutionContext): Promise<{ response: ServerResponse; client: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  const client = connect(typeof address === 'object' && address ? address.port : 0, '127.0.0.1').setEncoding('utf8');
  t.teardown(() => client.destroy());
  client.write('GET / HTTP/1.0\r\n\r\n');
  const [, response] = await once(server, 'request');
  if (!(response instanceof ServerResponse)) throw new Error('There is no response.');
  return { response, client };
}
