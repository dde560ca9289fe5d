import { z } from 'zod';

/** A setting that cannot be used stops the start; the message lists every one of them at once. */
export class ConfigFault extends Error {
  constructor(faults: readonly string[]) {
    super(`The broker cannot start with these settings:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
    this.name = 'ConfigFault';
  }
}

const seconds = (fallback: number, least = 1) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, `is not a number of seconds; give one such as ${fallback}`)
    .transform(Number)
    .refine((value) => value >= least, `is too small; give at least ${least}`)
    .refine((value) => value <= 2_000_000, 'is too large; give at most 2000000')
    .transform((value) => Math.round(value * 1000))
    .default(fallback * 1000);

const count = (fallback: number, least = 1, most = 1_000_000_000) =>
  z
    .string()
    .regex(/^\d+$/, `is not a whole number; give one such as ${fallback}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `is out of range; give ${least} to ${most}`)
    .default(fallback);

const flag = z
  .string()
  .toLowerCase()
  .refine((value) => value === 'true' || value === 'false', 'is neither true nor false')
  .transform((value) => value === 'true')
  .default(false);

const origin = (protocols: readonly string[]) =>
  z
    .string()
    .refine(
      (value) => !URL.canParse(value) || !/[@?#]/.test(value),
      'has a user, a query or a fragment; give only what comes before the path that is called',
    )
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `is not a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    )
    .transform((value) => {
      let end = value.length;
      while (value[end - 1] === '/') end -= 1;
      return value.slice(0, end);
    });

/** With a host and, if there is one, a number of a database: ioredis fails on anything else when it is too late. */
function isRedis({ protocol, hostname, pathname }: URL): boolean {
  return ['redis:', 'rediss:'].includes(protocol) && hostname !== '' && /^(\/\d*)?$/.test(pathname);
}

const redisUrl = z
  .string()
  .refine(
    (value) => !/^redis[a-z+-]*sentinel|^sentinel/i.test(value.trim()),
    'names a Sentinel, which is not supported; give an address that always leads to the master, or a Redis Cluster',
  )
  .refine((value) => {
    const nodes = value.split(',').filter((node) => node.trim());
    return nodes.length > 0 && nodes.every((node) => URL.canParse(node.trim()) && isRedis(new URL(node.trim())));
  }, 'is not a redis:// or rediss:// URL with a host (and the number of a database), nor a comma-separated list of them (Redis Cluster)');

/** What stands between commas. */
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean),
);

const keys = list
  .refine((all) => all.length > 0, 'holds no key; give one, or leave the variable out')
  .refine(
    (all) => all.every((key) => /^[\x21-\x7e]+$/.test(key)),
    'holds a key with a character that no HTTP header can carry; use visible ASCII',
  );

const SECRET =
  'is not whsec_ and the base64 of 24 to 64 random bytes; make one with: echo "whsec_$(head -c 32 /dev/urandom | base64)"';
const webhookSecret = z.string().refine((value) => {
  const base64 = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(value)?.[1];
  const bytes = base64 ? Buffer.from(base64, 'base64').length : 0;
  return bytes >= 24 && bytes <= 64;
}, SECRET);

const hostPorts = list
  .transform((all) => all.map((host) => host.toLowerCase()))
  .refine(
    (all) => all.every((host) => /^(\[[0-9a-f:.]+\]|[^\s:/@]+):\d{1,5}$/.test(host)),
    'is not a comma-separated list of host:port pairs, such as localhost:3000',
  )
  .default([]);

const webOrigins = list
  .refine(
    (all) => all.every((one) => one === '*' || (URL.canParse(one) && new URL(one).origin === one)),
    'is not a comma-separated list of origins, such as https://app.example; an origin has no path and no slash at its end',
  )
  .default([]);

const queues = list.refine((all) => all.length > 0, 'names no queue; name one, or leave the variable out').default([]);

const LOG_LEVELS = { DEBUG: 'debug', INFO: 'info', WARNING: 'warn', ERROR: 'error' } as const;

const schema = z.object({
  // Not just any word: a misspelt "production" would switch off what production insists on.
  NODE_ENV: z.enum(['production', 'development', 'test'], 'is none of production, development, test').optional(),
  REDIS_URL: redisUrl.optional(),
  STORE: z.enum(['auto', 'redis', 'embedded'], 'is none of auto, redis, embedded').default('auto'),
  DATA_DIR: z.string().default('./data'),
  WORKER_BASE_URL: origin(['http:', 'https:']).default('http://localhost:8787'),
  WORKER_API_KEY: z
    .string()
    .regex(/^[\x21-\x7e]+$/, 'has a character that no HTTP header can carry; use visible ASCII')
    .optional(),
  BROKER_API_KEY: keys.optional(),
  ALLOW_UNAUTHENTICATED: flag,
  LOG_LEVEL: z
    .string()
    .toUpperCase()
    .pipe(z.enum(['DEBUG', 'INFO', 'WARNING', 'ERROR'], 'is none of DEBUG, INFO, WARNING, ERROR'))
    .transform((level) => LOG_LEVELS[level])
    .default('info'),
  HOST: z.string().default('0.0.0.0'),
  PORT: count(8000, 0, 65_535),
  PUBLIC_URL: origin(['https:']).optional(),
  WORKER_CONCURRENCY: count(100, 1, 100_000),
  WORKER_CONNECT_TIMEOUT_SECONDS: seconds(10),
  WORKER_IDLE_TIMEOUT_SECONDS: seconds(90),
  WORKER_TIMEOUT_SECONDS: seconds(300),
  MAX_ATTEMPTS: count(3, 1, 100),
  MAX_QUEUE_LENGTH: count(50, 1, 1_000_000),
  MAX_BODY_BYTES: count(36_700_160, 1024, 500_000_000),
  MESSAGE_TTL_SECONDS: seconds(86_400),
  EVENT_RETENTION_SECONDS: seconds(3600),
  DEAD_LETTER_RETENTION_SECONDS: seconds(86_400),
  MAX_WAITING_MESSAGES: count(1_000_000),
  LEASE_SECONDS: seconds(10),
  SHUTDOWN_SECONDS: seconds(30, 0),
  CALLBACK_SECRET: webhookSecret.optional(),
  CALLBACK_RETRY_SECONDS: seconds(3600),
  CALLBACK_ALLOW_HOSTS: hostPorts,
  CORS_ORIGINS: webOrigins,
  PASSTHROUGH_ADMIN: flag,
  INSPECT: flag,
  INSPECT_PORT: count(8080, 0, 65_535),
  INSPECT_USERS: queues,
  DASHBOARD_SHOW_CONTENT: flag,
});

/** The broker's settings. Durations are in milliseconds. */
export type Config = {
  readonly production: boolean;
  readonly store: 'auto' | 'redis' | 'embedded';
  readonly redisUrl: string | undefined;
  readonly dataDir: string;
  readonly worker: {
    readonly baseUrl: string;
    readonly apiKey: string | undefined;
    readonly connectTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly timeoutMs: number;
  };
  readonly concurrency: number;
  readonly maxAttempts: number;
  readonly maxQueueLength: number;
  readonly maxBodyBytes: number;
  readonly messageTtlMs: number;
  readonly retentionMs: number;
  readonly deadLetterRetentionMs: number;
  readonly maxWaiting: number;
  readonly leaseMs: number;
  readonly shutdownMs: number;
  readonly callbacks: {
    readonly secret: string | undefined;
    readonly retryMs: number;
    readonly allowedHosts: ReadonlySet<string>;
  };
  readonly corsOrigins: ReadonlySet<string>;
  readonly passthroughAdmin: boolean;
  readonly inspector: {
    readonly on: boolean;
    readonly port: number;
    /** The queues that are shown; all of them when there is none. */
    readonly users: readonly string[];
  };
  /** The dashboard shows what people and the worker wrote. */
  readonly dashboardShowsContent: boolean;
  readonly apiKeys: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string | undefined;
  readonly logLevel: (typeof LOG_LEVELS)[keyof typeof LOG_LEVELS];
};

/**
 * The settings in `env`, where an empty variable counts as unset.
 * Throws ConfigFault with every fault, none of which repeats a value: it may be a secret.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()));
  const parsed = schema.safeParse(set);
  const faults = (parsed.error?.issues ?? []).map((issue) => `${issue.path.join('.')} ${issue.message}.`);
  const production = env['NODE_ENV'] === 'production';
  if (production && !env['BROKER_API_KEY']?.trim() && env['ALLOW_UNAUTHENTICATED']?.trim().toLowerCase() !== 'true') {
    faults.push(
      'BROKER_API_KEY is not set: set the key that clients must send, or ALLOW_UNAUTHENTICATED=true to do without.',
    );
  }
  if (production && env['INSPECT']?.trim().toLowerCase() === 'true') {
    faults.push('INSPECT is true with NODE_ENV=production: it is for debugging only; leave it out.');
  }
  if (!parsed.success || faults.length) throw new ConfigFault(faults);
  const { data } = parsed;
  return {
    production,
    store: data.STORE,
    redisUrl: data.REDIS_URL,
    dataDir: data.DATA_DIR,
    worker: {
      baseUrl: data.WORKER_BASE_URL,
      apiKey: data.WORKER_API_KEY,
      connectTimeoutMs: data.WORKER_CONNECT_TIMEOUT_SECONDS,
      idleTimeoutMs: data.WORKER_IDLE_TIMEOUT_SECONDS,
      timeoutMs: data.WORKER_TIMEOUT_SECONDS,
    },
    concurrency: data.WORKER_CONCURRENCY,
    maxAttempts: data.MAX_ATTEMPTS,
    maxQueueLength: data.MAX_QUEUE_LENGTH,
    maxBodyBytes: data.MAX_BODY_BYTES,
    messageTtlMs: data.MESSAGE_TTL_SECONDS,
    retentionMs: data.EVENT_RETENTION_SECONDS,
    deadLetterRetentionMs: data.DEAD_LETTER_RETENTION_SECONDS,
    maxWaiting: data.MAX_WAITING_MESSAGES,
    leaseMs: data.LEASE_SECONDS,
    shutdownMs: data.SHUTDOWN_SECONDS,
    callbacks: {
      secret: data.CALLBACK_SECRET,
      retryMs: data.CALLBACK_RETRY_SECONDS,
      allowedHosts: new Set(data.CALLBACK_ALLOW_HOSTS),
    },
    corsOrigins: new Set(data.CORS_ORIGINS),
    passthroughAdmin: data.PASSTHROUGH_ADMIN,
    inspector: { on: data.INSPECT, port: data.INSPECT_PORT, users: data.INSPECT_USERS },
    dashboardShowsContent: data.DASHBOARD_SHOW_CONTENT,
    apiKeys: data.BROKER_API_KEY ?? [],
    host: data.HOST,
    port: data.PORT,
    publicUrl: data.PUBLIC_URL,
    logLevel: data.LOG_LEVEL,
  };
}
