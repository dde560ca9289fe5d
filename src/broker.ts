import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getHeapStatistics } from 'node:v8';
import type { Logger } from 'pino';
import type { Destination } from '../machines/events.ts';
import { Deliveries } from './actors/deliveries.ts';
import { Effects } from './actors/effects.ts';
import { Leases } from './actors/leases.ts';
import { Slots } from './actors/slots.ts';
import { Sweeper } from './actors/sweeper.ts';
import { Users } from './actors/users.ts';
import { WorkerHealth } from './actors/worker-health.ts';
import { Composer } from './callbacks/composer.ts';
import { Endpoints } from './callbacks/endpoint.ts';
import { Tokens } from './callbacks/tokens.ts';
import type { Config } from './config.ts';
import { Overview } from './dashboard/overview.ts';
import { createApp } from './http/app.ts';
import { Bodies } from './http/body.ts';
import { Passthrough } from './http/engine/passthrough.ts';
import { Keys } from './http/keys.ts';
import { refuseRequest } from './http/problem.ts';
import { newId } from './ids.ts';
import type { Inspector } from './inspector/inspector.ts';
import { Metrics } from './metrics.ts';
import { logNotice } from './store/notice.ts';
import { openStore } from './store/open.ts';
import type { Store } from './store/store.ts';
import { Hub } from './stream/hub.ts';
import { Origins } from './worker/origins.ts';
import { Worker } from './worker/worker.ts';

/** A client may come back over the same connection for this long. */
const KEEP_ALIVE_MS = 65_000;
const DEDUPLICATION_MS = 86_400_000;
/** One attempt at a callback takes 15 s at most. */
const DELIVERY_LEASE_MS = 20_000;
/** A stop waits for so long for the attempts in hand. */
const CALLBACKS_WITHIN_MS = 5000;
/**
 * Of the heap, what large request bodies may have. Until it is stored each is there several times over: at a third of the
 * heap a broker breaks down (docs/operations.md).
 */
const BODIES_PART = 1 / 6;

/** A running broker. */
export type Broker = {
  readonly url: string;
  readonly port: number;
  /** Where the inspector is to be opened, if there is one. */
  readonly inspectorUrl: string | undefined;
  /** Takes no more traffic, lets open worker calls finish for as long as the settings say, then closes everything. */
  readonly stop: () => Promise<void>;
};

/** All addresses of a machine: no address to open in a browser. */
const ANYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/**
 * Wires the parts together and starts them. Resolves when the broker listens. `through` may put something between the
 * broker and its store.
 */
export async function startBroker(
  config: Config,
  logs: Logger,
  { through = (store: Store) => store, metrics = new Metrics() } = {},
): Promise<Broker> {
  const brokerId = newId();
  const log = logs.child({ broker_id: brokerId });
  const inspector = await loadInspector(config);
  const inspection = inspector ? { inspect: inspector.inspect } : {};
  const opened = await openStore(config, log, {
    brokerId,
    leaseMs: config.leaseMs,
    deliveryLeaseMs: DELIVERY_LEASE_MS,
    maxQueueLength: config.maxQueueLength,
    messageTtlMs: config.messageTtlMs,
    retentionMs: config.retentionMs,
    deadLetterRetentionMs: config.deadLetterRetentionMs,
    deduplicationMs: DEDUPLICATION_MS,
  });
  const store = through(opened);
  const worker = new Worker(config.worker);
  const hub = new Hub(store);
  const slots = new Slots(config.concurrency);
  const workerHealth = new WorkerHealth({ worker, slots, log, inspection });
  const leases = new Leases({
    store,
    leaseMs: config.leaseMs,
    log,
    onLost: ({ queue, token }) => users.claimLost(queue, token),
    onCancelled: (claim) => effects.cancel(claim),
  });
  const endpoints = new Endpoints(config.callbacks);
  const origins = new Origins(config.worker.baseUrl, config.publicUrl);
  const tokens = new Tokens(config.apiKeys);
  const passthrough = new Passthrough(config.worker, origins);
  const deliveries = new Deliveries({
    outbox: store.outbox,
    composer: new Composer({ store, hub, rewrite: (fields) => origins.rewrite(fields) }),
    endpoints,
    tokens,
    log,
    metrics,
    secret: config.callbacks.secret,
    retryMs: config.callbacks.retryMs,
    leaseMs: DELIVERY_LEASE_MS,
    inspection,
  });
  const deliver = (destination: Destination) => deliveries.hint(destination);
  const effects = new Effects({
    store,
    worker,
    slots,
    leases,
    health: workerHealth,
    log,
    metrics,
    maxAttempts: config.maxAttempts,
    deliver,
  });
  const users = new Users(effects, () => sweeper.roomMade(), inspection);
  const sweeper = new Sweeper({
    store,
    log,
    hint: (queue) => users.hint(queue),
    deliver,
    capacity: 2 * config.concurrency,
    room,
  });

  /** Twice the slots: the next users stand ready when one is freed. One always, so that what is due longest has its turn. */
  function room(): number {
    return slots.open ? Math.max(1, 2 * config.concurrency - slots.wanted) : 0;
  }

  metrics.serve(() => ({
    store: sweeper.last,
    workerUp: workerHealth.well,
    calls: slots.held,
    callLimit: slots.concurrency,
    listeners: hub.listeners,
    users: users.busy,
  }));
  store.onCancelled((claim) => leases.cancelled(claim));
  store.onNotice((notice) => logNotice(log, notice));

  let accepting = true;
  const overview = new Overview({
    store,
    sweeper,
    users,
    deliveries,
    slots,
    leases,
    hub,
    workerHealth,
    traffic: metrics.traffic,
    log,
    brokerId,
    version: version(),
    showContent: config.dashboardShowsContent,
    accepting: () => accepting,
  });
  const app = createApp({
    store,
    users,
    hub,
    sweeper,
    overview,
    workerHealth,
    endpoints,
    log,
    metrics,
    keys: new Keys(config.apiKeys),
    tokens,
    origins,
    passthrough,
    passthroughAdmin: config.passthroughAdmin,
    dashboardShowsContent: config.dashboardShowsContent,
    corsOrigins: config.corsOrigins,
    bodies: new Bodies(config.maxBodyBytes, BODIES_PART * getHeapStatistics().heap_size_limit),
    maxWaiting: config.maxWaiting,
    version: version(),
    accepting: () => accepting,
  });
  const handle = app.callback();
  // A missing Host is no reason for Node's own bare answer.
  const options = { keepAliveTimeout: KEEP_ALIVE_MS, requireHostHeader: false };
  const server = createServer(options, (req, res) => void handle(req, res)).on('clientError', (error, socket) =>
    refuseRequest(log, error, socket),
  );

  const stop = async () => {
    accepting = false;
    const { held: calls } = slots;
    log.info({ calls, within_seconds: config.shutdownMs / 1000 }, 'stopping: open worker calls may finish');
    const steps: (() => unknown)[] = [
      () => sweeper.drain(),
      () => users.drain(config.shutdownMs),
      () => effects.finished(),
      () => deliveries.stop(Math.min(config.shutdownMs, CALLBACKS_WITHIN_MS)),
      () => endpoints.close(),
      () => overview.stop(),
      () => hub.close(),
      () => closeServer(server),
      () => sweeper.stop(),
      () => leases.close(),
      () => workerHealth.close(),
      () => passthrough.close(),
      () => worker.close(),
      () => store.close(),
      () => inspector?.close(),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        log.error({ err: error }, 'a part could not be stopped');
      }
    }
    log.info('stopped');
  };

  try {
    const inspectorUrl = await inspector?.listen();
    if (inspectorUrl) {
      log.warn({ inspector_url: inspectorUrl }, 'INSPECT is on: open inspector_url in a browser on this machine');
    }
    const port = await listen(server, config.port, config.host);
    sweeper.start();
    overview.start();
    const host = config.host.includes(':') ? `[${config.host}]` : config.host;
    const url = `http://${host}:${port}`;
    const page = `http://${ANYWHERE.has(config.host) ? 'localhost' : host}:${port}/dashboard`;
    log.info({ url, page, store: store.kind, worker: config.worker.baseUrl }, 'the broker listens');
    return { url, port, inspectorUrl, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Loaded only when it is wanted: what it needs is not installed in production. */
async function loadInspector({ inspector: { on, port, users } }: Config): Promise<Inspector | undefined> {
  if (!on) return undefined;
  try {
    const { Inspector } = await import('./inspector/inspector.ts');
    return new Inspector({ port, users });
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND';
    if (!missing) throw cause;
    const why =
      'INSPECT is true, but what it needs is not installed; run npm ci without --omit=dev, or leave INSPECT out';
    throw new Error(why, { cause });
  }
}

function version(): string {
  const parsed: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown';
}

function listen(server: ReturnType<typeof createServer>, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      const address: AddressInfo | string | null = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => server.closeAllConnections(), 1000);
    server.close(() => {
      clearTimeout(late);
      resolve();
    });
    server.closeIdleConnections();
  });
}
