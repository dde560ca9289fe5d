import test from 'ava';
import { forCall, parseDirectives } from '../../src/simulated-worker/directives.ts';
import { readFlags } from '../../src/simulated-worker/flags.ts';
import { cutEvery, cutRandomly, seeded } from '../../src/simulated-worker/wire.ts';

test('every directive is read', (t) => {
  const { directives, rest, problems } = parseDirectives(
    '[[text="a \\"b\\" ]] \\u00e9\\n" ttft=300 chunk=120 events=4 size=10 tools=a,b status=503 retryafter=2 failtimes=1 fail=529 midfail=2 stall=3 nocomplete reset hang=1 garbage=stream crlf cut=1 id=x-1 raw="{\\"x\\":1}"]]  the rest',
  );
  t.deepEqual(problems, []);
  t.is(rest, 'the rest');
  t.deepEqual(directives, {
    text: 'a "b" ]] é\n',
    ttft: 300,
    chunk: 120,
    events: 4,
    size: 10,
    tools: ['a', 'b'],
    status: 503,
    retryafter: '2',
    failtimes: 1,
    fail: 529,
    midfail: 2,
    stall: 3,
    nocomplete: true,
    reset: true,
    hang: true,
    garbage: 'stream',
    crlf: true,
    cut: 1,
    raw: '{"x":1}',
  });
  t.deepEqual(parseDirectives('[[midfail=reset]]').directives, { midfail: 'reset' });
  t.deepEqual(parseDirectives('[[raw64=4oCo]]').directives, { raw: Buffer.from('\u2028') });
});

test('a message without a closed block is plain text', (t) => {
  for (const message of ['hello', '', '[[text="a"', '[[text="a', '[[ 1=2 ]] x', 'x [[text="a"]]', '[[text="a"b"]]']) {
    t.deepEqual(parseDirectives(message), { directives: {}, rest: message, problems: [] });
  }
});

test('a bad value is left out and explained', (t) => {
  const { directives, problems } = parseDirectives('[[ttft=soon status=200 midfail=x chunk=5]] hi');
  t.deepEqual(directives, { chunk: 5 });
  t.deepEqual(problems, [
    'ttft needs a whole number, not "soon".',
    'status needs a code from 400 to 599, not 200.',
    'midfail needs a whole number, error, reset or end, not "x".',
  ]);
});

test('failtimes drops the failures and keeps the rest', (t) => {
  const { directives } = parseDirectives('[[text="x" status=503 failtimes=2 chunk=1]]');
  t.is(forCall(directives, 2), directives);
  t.deepEqual(forCall(directives, 3), { text: 'x', failtimes: 2, chunk: 1 });
});

test('cuts go through characters and lose nothing', (t) => {
  const bytes = Buffer.from('data: "שלום 👋 é"\n\n'.repeat(20));
  const whole = (piece: Uint8Array): boolean => Buffer.from(Buffer.from(piece).toString()).equals(piece);
  for (let seed = 0; seed < 50; seed++) {
    const pieces = cutRandomly(bytes, seeded(seed));
    t.deepEqual(Buffer.concat(pieces), bytes);
    t.true(pieces.every((piece) => piece.length > 0));
    t.false(pieces.every(whole));
  }
  t.deepEqual(Buffer.concat(cutEvery(bytes, 1)), bytes);
  t.is(cutEvery(bytes, 1).length, bytes.length);
});

test('flags are read, and every bad one gets one sentence', (t) => {
  t.deepEqual(
    readFlags([
      '--port',
      '0',
      '--key=k',
      '--cut',
      'random',
      '--seed',
      '7',
      '--ttft',
      '1',
      '--chunk',
      '2',
      '--jitter',
      '3',
      '--keepalive',
      '4',
      '--host',
      '::1',
    ]),
    {
      help: false,
      faults: [],
      options: {
        port: 0,
        apiKey: 'k',
        cut: 'random',
        seed: 7,
        ttftMs: 1,
        chunkMs: 2,
        jitterMs: 3,
        keepaliveMs: 4,
        host: '::1',
      },
    },
  );
  t.true(readFlags(['--help']).help);
  t.deepEqual(readFlags(['--port=99999', '--keepalive', '0', '--cut', 'often', '--nope', 'stray', '--key=']).faults, [
    '--port needs a whole number from 0 to 65535, not "99999".',
    '--keepalive needs a whole number from 1 to 1000000000, not "0".',
    '--cut needs none or random, not "often".',
    'There is no flag --nope; --help lists them.',
    '"stray" is not a flag; --help lists them.',
    '--key needs a value.',
  ]);
});
