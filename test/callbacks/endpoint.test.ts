import { once } from 'node:events';
import { createServer } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { isPublic } from '../../src/callbacks/address.ts';
import { Endpoints } from '../../src/callbacks/endpoint.ts';
import { anEndpoint } from '../helpers/endpoint.ts';

const { signal } = new AbortController();
const NOBODY = new Set<string>();

/** Ways to write an address that is nobody's but our own. A URL parser makes most of them what they are. */
const PRIVATE_HOSTS = [
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '2130706433',
  '0x7f000001',
  '0x7f.0.0.1',
  '0177.0.0.1',
  '017700000001',
  '127.0.0.1.',
  '0.0.0.0',
  '0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '192.168.1',
  '0xc0a80001',
  '169.254.169.254',
  '169.254.0.1',
  '100.64.0.1',
  '100.127.255.254',
  '192.0.0.1',
  '192.0.2.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '[::1]',
  '[::]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::ffff:a00:1]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b::10.0.0.1]',
  '[64:ff9b:1::1]',
  '[fe80::1]',
  '[fec0::1]',
  '[fc00::1]',
  '[fd12:3456:789a::1]',
  '[ff02::1]',
  '[2001:db8::1]',
  '[2002:7f00:1::]',
  '[2001::1]',
  '[100::1]',
  '[3fff::1]',
  'localhost',
  'LOCALHOST',
  'localhost.',
  'anything.localhost',
];

const PUBLIC_HOSTS = [
  'gateway.example',
  '8.8.8.8',
  '1.1.1.1',
  '172.32.0.1',
  '100.128.0.1',
  '[2606:4700:4700::1111]',
  '[::ffff:8.8.8.8]',
  '[64:ff9b::8.8.8.8]',
];

for (const host of PRIVATE_HOSTS) {
  test(`https://${host}/ is refused`, async (t) => {
    const endpoints = someEndpoints(t);
    t.is(endpoints.objection(`https://${host}/`), 'must not be a private or otherwise non-public address');
    const { type, reason } = { reason: '', ...(await endpoints.post(`https://${host}/`, {}, '{}', signal)) };
    t.is(type, 'refused');
    t.regex(reason, /non-public/);
  });
}

test('public addresses and names are not', (t) => {
  const endpoints = someEndpoints(t);
  for (const host of PUBLIC_HOSTS) t.is(endpoints.objection(`https://${host}:8443/hook?a=b`), undefined, host);
});

test('what is no address at all is not public', (t) => {
  for (const address of ['', 'localhost', '1.2.3', 'fe80::1%eth0', '::1%lo', '8.8.8.8 '])
    t.false(isPublic(address), address);
});

test('only https, without a user or a password', (t) => {
  const endpoints = someEndpoints(t);
  for (const url of ['http://gateway.example/', 'ftp://gateway.example/', 'https://u@gateway.example/', 'gateway', ''])
    t.truthy(endpoints.objection(url), url);
});

test('a name is judged by all the addresses it has at the time of connecting, and nobody is called', async (t) => {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.teardown(() => listener.close());
  const address = listener.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  let connections = 0;
  listener.on('connection', (socket) => {
    connections += 1;
    socket.destroy();
  });
  const answers = {
    private: ['127.0.0.1'],
    'private as IPv6': ['::ffff:127.0.0.1'],
    both: ['8.8.8.8', '127.0.0.1'],
    'both the other way': ['127.0.0.1', '8.8.8.8'],
    none: [],
  };
  for (const [name, addresses] of Object.entries(answers)) {
    const endpoints = someEndpoints(t, async () =>
      addresses.map((one) => ({ address: one, family: one.includes(':') ? 6 : 4 })),
    );
    const answer = await endpoints.post(`https://gateway.example:${port}/`, {}, '{}', signal);
    t.like(
      answer,
      { type: 'failed', reason: 'the endpoint cannot be reached (its name leads to a non-public address)' },
      name,
    );
  }
  // Its answer changes: public when it is looked at, private when it is connected to. It is looked up once for both.
  let asked = 0;
  const changing = someEndpoints(t, async () => {
    asked += 1;
    return [{ address: asked % 2 ? '127.0.0.1' : '8.8.8.8', family: 4 }];
  });
  t.like(await changing.post(`https://gateway.example:${port}/`, {}, '{}', signal), { type: 'failed' });
  t.is(asked, 1);
  t.is(connections, 0);
});

test('a host that is exempt may be reached over http and anywhere, and only at its port', async (t) => {
  const endpoint = await anEndpoint(t);
  const endpoints = new Endpoints({ allowedHosts: new Set([endpoint.host]) });
  t.teardown(() => endpoints.close());
  t.deepEqual(await endpoints.post(endpoint.url, { 'x-more': '1' }, '{"a":1}', signal), { type: 'accepted' });
  t.like(endpoint.calls, [{ headers: { 'content-type': 'application/json', 'x-more': '1' }, text: '{"a":1}' }]);
  t.truthy(endpoints.objection('http://127.0.0.1:1/'));
});

test('what an endpoint answers is told from what is not there', async (t) => {
  const endpoint = await anEndpoint(t);
  const endpoints = new Endpoints({ allowedHosts: new Set([endpoint.host]) });
  t.teardown(() => endpoints.close());
  const post = () => endpoints.post(endpoint.url, {}, '{}', signal);
  for (const [status, answer] of [
    [200, { type: 'accepted' }],
    [299, { type: 'accepted' }],
    [302, { type: 'failed', reason: 'the endpoint answered 302', retryAfterMs: 0 }],
    [410, { type: 'refused', reason: 'the endpoint answered 410' }],
    [500, { type: 'failed', reason: 'the endpoint answered 500', retryAfterMs: 0 }],
  ] as const) {
    endpoint.respond = () => ({ status, headers: { location: 'https://127.0.0.1/' } });
    t.deepEqual(await post(), answer);
  }
  endpoint.respond = () => ({ status: 429, headers: { 'retry-after': '7' } });
  t.like(await post(), { retryAfterMs: 7000 });
  await endpoint.stop();
  t.like(await post(), { type: 'failed', retryAfterMs: 0 });
});

function someEndpoints(t: ExecutionContext, lookup?: ConstructorParameters<typeof Endpoints>[0]['lookup']): Endpoints {
  const endpoints = new Endpoints({ allowedHosts: NOBODY, ...(lookup ? { lookup } : {}) });
  t.teardown(() => endpoints.close());
  return endpoints;
}
