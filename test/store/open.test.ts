import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { openStore, type StoreChoice } from '../../src/store/open.ts';
import { RedisStore } from '../../src/store/redis/redis.ts';
import { aDirectory } from '../helpers/broker.ts';
import { startRedis } from '../helpers/redis.ts';
import { settingsOf } from './contract/kit.ts';

const WARN = 40;

/** Opens a store, and keeps what is logged of it. */
async function opened(t: ExecutionContext, choice: Partial<StoreChoice>) {
  const lines: { readonly level: number; readonly msg: string }[] = [];
  const waiting = new Set<() => void>();
  const log = pino(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(JSON.parse(String(chunk)));
        for (const look of waiting) look();
        done();
      },
    }),
  );
  const dataDir = join(aDirectory(t), 'data');
  const all = { store: 'auto', redisUrl: undefined, dataDir, production: false, ...choice } as const;
  const store = await openStore(all, log, settingsOf());
  t.teardown(() => store.close());
  /** Resolves with a line, already there or still to come. */
  const line = (words: RegExp) =>
    new Promise<{ readonly level: number; readonly msg: string }>((resolve) => {
      const look = () => {
        const found = lines.find(({ msg }) => words.test(msg));
        if (found) resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { store, lines, line, dataDir };
}

/** What tests cannot choose: whether a Redis answers on the default address of this machine. */
async function redisByDefault(): Promise<boolean> {
  const redis = new Redis({ lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  redis.on('error', () => {});
  try {
    return (await redis.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    redis.disconnect();
  }
}

test('auto without REDIS_URL: the Redis on the default address, or else the embedded store and one line that says so', async (t) => {
  const answers = await redisByDefault();
  const { store, lines, dataDir } = await opened(t, {});
  if (answers) {
    t.is(store.kind, 'redis');
    return;
  }
  t.is(store.kind, 'embedded');
  t.is(lines.length, 1);
  t.is(lines[0]?.level, WARN);
  t.regex(lines[0]?.msg ?? '', /no Redis at redis:\/\/localhost:6379: using the embedded store/);
  await store.ping();
  t.true(existsSync(dataDir));
});

test('a REDIS_URL that is set never falls back, nor does production, nor STORE=redis', async (t) => {
  const gone = await startRedis();
  await gone.stop();
  for (const choice of [{ redisUrl: gone.url }, { production: true }, { store: 'redis' }] as const) {
    const { store, dataDir } = await opened(t, choice);
    t.is(store.kind, 'redis', JSON.stringify(choice));
    t.false(existsSync(dataDir));
  }
  const { store, line } = await opened(t, { redisUrl: gone.url });
  t.is((await line(/Redis is away/)).level, WARN);
  await t.throwsAsync(store.ping());
});

test('STORE=embedded asks for no Redis and says nothing', async (t) => {
  const { store, lines } = await opened(t, { store: 'embedded' });
  t.is(store.kind, 'embedded');
  t.deepEqual(lines, []);
});

test('a Redis that may lose what it is given is told of, also when it comes up only after the broker', async (t) => {
  const redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
  t.teardown(() => redis.stop());
  const early = await opened(t, { redisUrl: redis.url });
  await told(early);
  await redis.kill();
  const late = await opened(t, { redisUrl: redis.url });
  await late.line(/Redis is away/);
  // For longer than any question waits for its answer.
  for (let question = 0; question < 2; question += 1) await t.throwsAsync(late.store.ping());
  await redis.restart();
  await told(late);

  async function told({ line }: Pick<typeof early, 'line'>): Promise<void> {
    t.is((await line(/maxmemory-policy is allkeys-lru\. Set it to noeviction/)).level, WARN);
    t.is((await line(/appendonly is off\. Set it to yes/)).level, WARN);
  }
});

test('nothing is said of a Redis that keeps what it is given', async (t) => {
  const redis = await startRedis({ appendonly: true });
  t.teardown(() => redis.stop());
  const store = new RedisStore(redis.url, settingsOf());
  t.teardown(() => store.close());
  t.deepEqual(await store.warnings(), []);
});
