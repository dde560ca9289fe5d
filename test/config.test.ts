import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import test from 'ava';
import fc from 'fast-check';
import { ConfigFault, readConfig } from '../src/config.ts';

/** `.env.example` with its defaults, which stand there as comments, taken for settings. */
const example = parseEnv(
  readFileSync(new URL('../.env.example', import.meta.url), 'utf8').replaceAll(/^# (?=[A-Z_]+=)/gm, ''),
);

test('the settings of .env.example are the defaults, and none is missing', (t) => {
  const { BROKER_API_KEY: _key, ...defaults } = example;
  const bare = readConfig({});
  t.deepEqual(readConfig({ ...defaults, REDIS_URL: '' }), bare);
  t.is(defaults['REDIS_URL'], 'redis://localhost:6379');
  // Each of them is read: a value that none of them can have is refused by name, or taken over.
  for (const name of Object.keys(example)) {
    const fault = t.throws(() => taken(name), { instanceOf: Error }, name);
    t.regex(fault.message, new RegExp(name), name);
  }

  function taken(name: string): void {
    const odd = readConfig({
      ...(name === 'NODE_ENV' ? { ALLOW_UNAUTHENTICATED: 'true' } : {}),
      [name]: 'an\u0001 odd value',
    });
    if (JSON.stringify(odd) !== JSON.stringify(bare)) throw new Error(`${name} was taken over`);
  }
});

test('values at their limits', (t) => {
  t.is(readConfig({ SHUTDOWN_SECONDS: '0' }).shutdownMs, 0);
  t.is(readConfig({ LEASE_SECONDS: '1.5' }).leaseMs, 1500);
  t.is(readConfig({ LOG_LEVEL: 'Warning' }).logLevel, 'warn');
  t.is(readConfig({ WORKER_BASE_URL: 'https://worker.test/base/' }).worker.baseUrl, 'https://worker.test/base');
  for (const url of ['redis://a:1,rediss://b:2', 'redis://a:1,']) t.is(readConfig({ REDIS_URL: url }).redisUrl, url);
  t.deepEqual(readConfig({ BROKER_API_KEY: ' one , two,' }).apiKeys, ['one', 'two']);
  t.true(readConfig({ NODE_ENV: 'production', ALLOW_UNAUTHENTICATED: 'TRUE' }).production);
  for (const env of [
    { PORT: '65536' },
    { LEASE_SECONDS: '0.5' },
    { MAX_QUEUE_LENGTH: '1e3' },
    { PUBLIC_URL: 'http://plain.test' },
    { REDIS_URL: 'redis+sentinel://a:26379/mymaster' },
    { REDIS_URL: 'sentinel://a:26379' },
    { NODE_ENV: 'prod' },
    { INSPECT_USERS: ' , ' },
  ]) {
    t.throws(() => readConfig(env), { instanceOf: ConfigFault }, JSON.stringify(env));
  }
});

test('INSPECT is refused in production', (t) => {
  const production = { NODE_ENV: 'production', ALLOW_UNAUTHENTICATED: 'true' };
  t.throws(() => readConfig({ ...production, INSPECT: 'TRUE' }), {
    instanceOf: ConfigFault,
    message: /^ {2}INSPECT is true with NODE_ENV=production: it is for debugging only; leave it out\.$/m,
  });
  t.false(readConfig({ ...production, INSPECT: 'false' }).inspector.on);
  t.deepEqual(
    readConfig({ INSPECT: 'true', INSPECT_PORT: '0', INSPECT_USERS: 'ruth, group:unfoldingWord:1' }).inspector,
    {
      on: true,
      port: 0,
      users: ['ruth', 'group:unfoldingWord:1'],
    },
  );
});

test('whatever the variables hold, they are taken or refused by name, and no secret is told', (t) => {
  const SECRET = 'Tr0ub4dor';
  const names = [...Object.keys(example), 'SOMETHING_ELSE'];
  const odd = fc.oneof(
    fc.string(),
    fc.constantFrom('', ' ', '0', '-1', '1e9', 'true', 'redis://h', 'https://h', 'nan', '\u0000', '\ud800', '💥'),
  );
  const value = fc.tuple(odd, fc.boolean()).map(([text, secret]) => (secret ? `${SECRET}${text}` : text));
  fc.assert(
    fc.property(fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] }), (env) => {
      try {
        readConfig(env);
        t.pass();
      } catch (error) {
        if (!(error instanceof ConfigFault)) throw error;
        t.false(error.message.includes(SECRET));
        const [, ...faults] = error.message.split('\n');
        for (const fault of faults)
          t.true(
            names.some((name) => fault.trim().startsWith(`${name} `)),
            fault,
          );
      }
    }),
  );
});
