import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { aDirectory, aWorker } from '../helpers/broker.ts';
import { theEnd } from '../helpers/client.ts';
import { aBrokerProcess } from '../helpers/process.ts';
import { startRedis } from '../helpers/redis.ts';

const CERTIFICATE = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
const NAMES = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];

test('rediss:// speaks TLS, and trusts no certificate it should not', async (t) => {
  const directory = aDirectory(t);
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  await promisify(execFile)('openssl', [...CERTIFICATE, ...NAMES, '-keyout', key, '-out', certificate]);
  const tls = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
  const redis = await startRedis({ tlsPort: true, args: [...tls, '--tls-auth-clients', 'no'] });
  t.teardown(() => redis.stop());
  const worker = await aWorker(t);
  const env = { REDIS_URL: `rediss://localhost:${redis.tlsPort}`, WORKER_BASE_URL: worker.url };

  const trusting = await aBrokerProcess(t, { ...env, NODE_EXTRA_CA_CERTS: certificate });
  t.like((await trusting.client.get('/health')).body, { redis_connected: true, store: 'redis' });
  const id = await trusting.client.send('u', 'hello');
  t.like(theEnd(await trusting.client.all('u', id)), { event: 'done' });

  const wary = await aBrokerProcess(t, env);
  t.like(await wary.client.get('/health'), { status: 503, body: { redis_connected: false } });
});
