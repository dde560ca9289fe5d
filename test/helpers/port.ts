import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST_PORT = 12_000;
/** https://redis.io/docs/latest/operate/oss_and_stack/management/scaling/#redis-cluster-tcp-ports */
const BUS_PORTS_ABOVE = 10_000;

/** Ports given out here: what was free a moment ago may not be by the time a server has it. */
const given = new Set<number>();

/**
 * A port that was free a moment ago; with `busPort` that of the bus is, too. Below what systems give to outgoing
 * connections (from 32768 on), so that none of those takes it before the server does, or while it is restarted.
 */
export async function freePort(busPort = false): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, FIRST_PORT + BUS_PORTS_ABOVE);
    if (given.has(port)) continue;
    given.add(port);
    if ((await isFree(port)) && (!busPort || (await isFree(port + BUS_PORTS_ABOVE)))) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
  } catch {
    return false;
  }
  const closed = once(server, 'close');
  server.close();
  await closed;
  return true;
}

/** Starts something on such a port: on another one when that has been taken meanwhile. */
export async function onFreePort<Server>(start: (port: number) => Promise<Server>): Promise<Server> {
  for (;;) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    }
  }
}
