import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { aSystem } from '../helpers/broker.ts';
import { anEndpoint } from '../helpers/endpoint.ts';
import { aFreeAddress, aServer } from './helpers.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

/** The command line as its users start it. */
function start(
  t: ExecutionContext,
  args: readonly string[],
  env: Record<string, string> = {},
  stdout: 'pipe' | number = 'pipe',
) {
  const { PATH, TMPDIR } = process.env;
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH, TMPDIR, BROKER_USER: 'ruth', ...env },
    stdio: ['ignore', stdout, 'pipe'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  let out = '';
  let err = '';
  const said = new EventTarget();
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    said.dispatchEvent(new Event('text'));
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    said.dispatchEvent(new Event('text'));
  });
  return {
    child,
    ended: once(child, 'close').then(([code]): Ended => ({ code, out, err })),
    /** Resolves once it has said this. */
    says: async (text: string) => {
      while (!(out + err).includes(text)) await once(said, 'text');
    },
  };
}

async function aCli(t: ExecutionContext, env: Record<string, string> = {}) {
  const system = await aSystem(t, 'embedded', { env });
  const cli = (...args: string[]) => start(t, args, { BROKER_URL: system.url });
  return { ...system, cli, run: (...args: string[]) => cli(...args).ended };
}

function lines(out: string): readonly Record<string, unknown>[] {
  return out
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

// One after the other: a command is a process of its own, and they would only take turns.
test.serial('send shows the place in the queue, then the reply; tail shows it again', async (t) => {
  const { cli, run, client, worker } = await aCli(t);
  const first = await client.send('ruth', '[[stall=1]]');
  await client.streaming('ruth', first);
  const second = await client.send('ruth', 'Before');
  const sending = cli('send', '[[text="In the beginning\\nwas the Word" tools=read_memory chunk=5]] Hi');
  await sending.says('In the queue at position 2.\n');
  await run('cancel', first);
  await client.all('ruth', second);
  const { code, out, err } = await sending.ended;
  t.deepEqual([code, out], [0, 'Let me check with read_memory (step 1).\nIn the beginning\nwas the Word\n']);
  t.regex(err, /^Message [\w-]{36}\.\nIn the queue at position 2\.\nNext in the queue\.\n$/);
  t.like(worker.calls.at(-1), { queue: 'ruth', attempt: 1 });

  const id = err.slice('Message '.length, 'Message '.length + 36);
  t.deepEqual(await run('tail', id), { code: 0, out, err: 'In the queue at position 2.\n' });
  const told = lines((await run('tail', id, '--json', '--after', '2')).out);
  t.deepEqual(
    told.map(({ id: number }) => number),
    told.map((_, index) => index + 3),
  );
  t.is(told.at(-1)?.['type'], 'done');
});

test.serial('send --json tells one object a line, and the exit code tells whether the message completed', async (t) => {
  const { run } = await aCli(t);
  const { code, out, err } = await run(
    '--json',
    'send',
    'Hi',
    '--org',
    'o',
    '--client',
    'c',
    '--client-message-id',
    'm',
  );
  t.deepEqual([code, err], [0, '']);
  const told = lines(out);
  t.deepEqual(
    told.map(({ type }) => type),
    ['accepted', 'queued', 'processing', 'worker', 'worker', 'worker', 'done'],
  );
  const failed = await run('send', '[[status=400]] Hi');
  t.is(failed.code, 1);
  t.regex(failed.err, /\nThe message is failed \(worker_rejected\): [^\n]+\n$/);
  const again = await run('send', '[[reset failtimes=1]] Hi');
  t.deepEqual([again.code, again.out], [0, 'Hi\n']);
  t.regex(again.err, /\nAttempt 2, [^\n]+\.\n$/);
  const silent = await run('send', '[[events=0 text=""]] Hi');
  t.is(silent.code, 0);
});

test.serial('queue and cancel', async (t) => {
  const { run, client } = await aCli(t);
  const running = await client.send('ruth', '[[stall=1]]');
  await client.streaming('ruth', running);
  const waiting = await client.send('ruth', 'Hi');
  await client.send('ruth', 'Hi');
  const queue = await run('queue', 'ruth');
  t.is(queue.code, 0);
  t.regex(
    queue.out,
    new RegExp(`^ruth: 2 waiting, one is worked on\n +now  ${running}.+\n +1  ${waiting}.+\n +2 .+\n$`),
  );
  t.like(lines((await run('queue', 'ruth', '--json')).out), [{ user_id: 'ruth', queue_length: 2 }]);
  t.deepEqual(await run('cancel', waiting), { code: 0, out: `${waiting} cancelled\n`, err: '' });
  t.deepEqual(await run('cancel', '--waiting'), { code: 0, out: 'ruth: 1 cancelled\n', err: '' });
  t.like(await run('cancel', waiting), { code: 1, err: 'This message has already ended: it is cancelled.\n' });
  t.is((await run('cancel', running)).code, 0);
});

test.serial('dead-letters, retry and health', async (t) => {
  const { run, client } = await aCli(t);
  t.like(await run('dead-letters'), { code: 0, out: '', err: 'Nothing has failed.\n' });
  t.like(await run('dead-letters', '--json'), { code: 0, out: '', err: '' });
  const ids: string[] = [];
  for (const user of ['ruth', 'evil\u001b[2J']) {
    const id = await client.send(user, '[[status=400 failtimes=1]] Hi');
    await client.all(user, id);
    ids.push(id);
  }
  const page = await run('dead-letters', '--limit', '1');
  t.regex(page.out, new RegExp(`^\\S+  ${ids[1]}  evil\\[2J\n  worker_rejected after 1: .+\n$`));
  const cursor = /--cursor (\S+)/.exec(page.err)?.[1] ?? '';
  t.like(lines((await run('dead-letters', '--json', '--cursor', cursor)).out), [{ message_id: ids[0] }]);
  t.like(await run('retry', ids[0] ?? ''), { code: 0, out: `${ids[0]} queued, position 1\n` });
  await client.all('ruth', ids[0] ?? '');
  t.like(await run('retry', ids[0] ?? '', '--json'), { code: 1, out: '' });

  const health = await run('health');
  t.is(health.code, 0);
  t.regex(health.out, /^healthy: the engine answers, store embedded, 0 waiting, 0 worked on, version \d/);
  t.like(lines((await run('health', '--json')).out), [{ status: 'healthy' }]);
});

test.serial('retry --callback makes the callback alone again', async (t) => {
  const endpoint = await anEndpoint(t, () => ({ status: 410 }));
  const { run, client, worker } = await aCli(t, { CALLBACK_ALLOW_HOSTS: endpoint.host });
  const id = await client.send('ruth', '[[status=400]]', { callback_url: endpoint.url });
  const kinds = async () => lines((await run('dead-letters', '--json')).out).map(({ kind }) => kind);
  while (!(await kinds()).includes('callback'));
  t.deepEqual(await run('retry', id, '--callback'), { code: 0, out: `${id} redelivering\n`, err: '' });
  await endpoint.until(() => endpoint.calls.length === 2);
  t.is(worker.calls.length, 1);
});

test.serial('retry --all tries each once, the oldest first, and goes on where one is refused; discard', async (t) => {
  const endpoint = await anEndpoint(t, () => ({ status: 410 }));
  const { run, client } = await aCli(t, { CALLBACK_ALLOW_HOSTS: endpoint.host, MAX_QUEUE_LENGTH: '1' });
  const failing = async (user: string, more = {}) => {
    const id = await client.send(user, '[[status=400]] in vain', more);
    await client.all(user, id);
    return id;
  };
  const ruths = [await failing('ruth'), await failing('ruth', { callback_url: endpoint.url })];
  const letters = async () => lines((await run('dead-letters', '--json')).out);
  while (!(await letters()).some(({ kind }) => kind === 'callback'));
  const boazs = await failing('boaz');
  const held = await client.send('boaz', '[[stall=1]]');
  await client.streaming('boaz', held);
  await client.send('boaz', 'next');

  const nothing = { code: 0, out: '0 retried, 0 refused\n', err: '' };
  t.deepEqual(await run('retry', '--all', '--code', 'worker_timeout'), nothing);
  t.deepEqual(await run('retry', '--all', '--user', 'naomi'), nothing);
  const given = await run('retry', '--all', '--callback');
  t.deepEqual(given, { code: 0, out: `${ruths[1]} redelivering, of ruth\n1 retried, 0 refused\n`, err: '' });
  await endpoint.until(() => endpoint.calls.length === 2);
  while ((await letters()).length < 4);

  const all = await run('retry', '--all', '--code', 'worker_rejected');
  const queued = ruths.map((id) => `${id} queued, position \\d, of ruth\\n`).join('');
  t.regex(all.out, new RegExp(`^${queued}2 retried, 1 refused\n$`));
  t.regex(all.err, new RegExp(`^${boazs} of boaz: This user already has 1 message[^\n]+\n$`));
  t.is(all.code, 1);

  t.deepEqual(await run('discard', boazs, '--user', 'boaz'), { code: 0, out: `${boazs} discarded\n`, err: '' });
  t.like(await run('discard', held, '--user', 'boaz'), { code: 1, out: '' });
  t.false((await letters()).some(({ message_id }) => message_id === boazs));
});

/** A broker with two pages of dead letters, named by their users, which answers each retry with what is given for its user. */
async function aShelf(t: ExecutionContext, pages: readonly (readonly string[])[], refusals: Record<string, number>) {
  const asked: string[] = [];
  const url = await aServer(t, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://broker');
    asked.push(decodeURIComponent(pathname.replace('/api/v1/', '')));
    if (request.method === 'GET') {
      const page = Number(searchParams.get('cursor') ?? 0);
      const dead_letters = pages[page]?.map((user_id) => ({
        ...{ kind: user_id.split(' ')[1] ?? 'message', user_id, message_id: user_id.slice(0, 1), attempts: 1 },
        ...{ queued_at: 'q', failed_at: 'f', code: 'c', error: 'e' },
      }));
      response.end(JSON.stringify({ dead_letters, next_cursor: page + 1 < pages.length ? String(page + 1) : null }));
      return;
    }
    const message_id = pathname.split('/').at(-2);
    const status = refusals[message_id ?? ''];
    if (status) response.writeHead(status).end(JSON.stringify({ code: `no_${status}`, detail: 'No.' }));
    else response.end(JSON.stringify({ status: 'queued', message_id, queue_position: 1, stream_url: '/s' }));
  });
  return { asked, run: (...args: string[]) => start(t, ['retry', '--all', '--url', url, ...args]).ended };
}

test.serial(
  'retry --all reads all pages first; what the broker says of one stops no other, what it says of itself does',
  async (t) => {
    const shelf = await aShelf(t, [['d', 'c', 'a callback'], ['..', 'b'], ['a']], { b: 409 });
    const { code, out, err } = await shelf.run('--json');
    const tried = (id: string) => `queue/${id}/messages/${id}/retry`;
    t.deepEqual(shelf.asked, [...Array(3).fill('dead-letters'), ...['a', 'b', 'c', 'd'].map(tried)]);
    t.is(code, 1);
    t.deepEqual(
      lines(out).map(({ message_id, user_id, retried, refused }) => message_id ?? { user_id, retried, refused }),
      ['a', 'c', 'd', { user_id: undefined, retried: 3, refused: 2 }],
    );
    t.like(lines(err), [
      { message_id: 'b', user_id: 'b', error: { code: 'no_409' } },
      { message_id: '.', user_id: '..', error: { code: 'usage' } },
    ]);

    const away = await aShelf(t, [['c', 'b', 'a']], { b: 503 });
    t.deepEqual(await away.run(), { code: 1, out: 'a queued, position 1, of a\n1 retried, 0 refused\n', err: 'No.\n' });
  },
);

test.serial('each failure is told in one sentence, and the key in none', async (t) => {
  const { url } = await aSystem(t, 'embedded', { env: { BROKER_API_KEY: 'right' } });
  const nobody = await aFreeAddress();
  const page = await aServer(t, (_request, response) => void response.end('<p>'));
  const cases: [RegExp, string[], Record<string, string>?][] = [
    [/^Nobody listens at http:\/\/127\.0\.0\.1:\d+\. Start/, ['send', 'Hi'], { BROKER_URL: nobody }],
    [/^Nobody listens at /, ['tail', 'm', '--url', nobody]],
    [
      /^The broker at http:\/\/127\.0\.0\.1:1 cannot be reached, .+ \(bad port\)$/,
      ['health', '--url', 'http://127.0.0.1:1'],
    ],
    [/^There is no host with the name in http:\/\/nowhere\.invalid\. /, ['health', '--url', 'http://nowhere.invalid']],
    [/^The answer of http:.+ is not the JSON that a broker answers\. /, ['health', '--url', page]],
    [/^The broker asks for a key\. Give it as --key or in BROKER_KEY\./, ['queue', 'ruth']],
    [/^The broker does not know this key\. /, ['send', 'Hi'], { BROKER_KEY: 'wrong' }],
    [/^This user has no such message, /, ['tail', 'none', '--key', 'right']],
    [/^message must not be blank\.$/, ['send', ' '], { BROKER_KEY: 'right' }],
  ];
  for (const [sentence, args, env] of cases) {
    const { code, out, err } = await start(t, args, { BROKER_URL: url, ...env }).ended;
    t.deepEqual([code, out], [1, ''], args.join(' '));
    t.regex(err.trimEnd(), sentence);
    t.is(err.trimEnd().split('\n').length, 1, err);
    t.notRegex(err, /wrong|right/);
  }
});

test.serial('a command that is wrong is told so, with exit code 2', async (t) => {
  const cases: [RegExp, string[]][] = [
    [/missing required argument 'text'/, ['send']],
    [/unknown command 'sned'/, ['sned']],
    [/unknown option '--jsn'/, ['health', '--jsn']],
    [/--url must be an http or https address, /, ['health', '--url', 'localhost:8000']],
    [/--url must be an http or https address, /, ['health', '--url', 'http://me:secret@localhost:8000']],
    [/--url must be an http or https address, /, ['health', '--url', 'http://localhost:8000?key=secret']],
    [/It must be a whole number/, ['dead-letters', '--limit', 'all']],
    [/give either a message id or --waiting/, ['cancel']],
    [/give either a message id or --all/, ['retry']],
    [/give either a message id or --all/, ['retry', 'm', '--all']],
    [/--code with --all alone/, ['retry', 'm', '--code', 'worker_error']],
    [/missing required argument 'message-id'/, ['discard']],
    [/cannot be the id of a user or a message/, ['cancel', '..']],
    [/apiKey must be visible ASCII/, ['health', '--key', 'secret\n']],
  ];
  for (const [sentence, args] of cases) {
    const { code, out, err } = await start(t, args).ended;
    t.deepEqual([code, out], [2, ''], args.join(' '));
    t.regex(err, sentence);
    t.notRegex(err, /secret/);
  }
  const help = await start(t, ['--help'], { BROKER_KEY: 'secret' }).ended;
  t.is(help.code, 0);
  t.regex(help.out, /dead-letters/);
  t.notRegex(help.out, /secret/);
  t.is((await start(t, []).ended).code, 2);
});

test.serial('Ctrl-C leaves at once and says how to come back; so does a reader that has had enough', async (t) => {
  const { cli, run } = await aCli(t);
  const sending = cli('send', '[[text="one two three four" events=1000 chunk=50]]');
  await sending.says('one two');
  sending.child.kill('SIGINT');
  const { code, err } = await sending.ended;
  t.is(code, 130);
  const id = /tail ([\w-]{36}) --user ruth\n$/.exec(err)?.[1] ?? '';
  const tail = cli('tail', id, '--json');
  await tail.says('one two');
  tail.child.stdout?.destroy();
  t.deepEqual({ ...(await tail.ended), out: '' }, { code: 0, out: '', err: '' });
  t.is((await run('cancel', id)).code, 0);
});

/** A broker that answers messages sent as told, one after the other, and has one event stream. */
async function aScript(t: ExecutionContext, posts: ((response: ServerResponse) => void)[], ...streams: string[]) {
  const ids: unknown[] = [];
  const url = await aServer(t, (request, response) => {
    if (request.method === 'GET') {
      response.setHeader('Content-Type', 'text/event-stream').end(streams.shift());
      return;
    }
    void json(request).then((body) => {
      ids.push(typeof body === 'object' && body && 'client_message_id' in body && body.client_message_id);
      posts.shift()?.(response);
    });
  });
  return { ids, url };
}

const DONE = 'event: done\ndata: {"message_id":"m","status":"completed"}\n\n';
const SAID = 'data: {"type":"progress","text":"one "}\n\n';
const QUEUED = 'event: queued\ndata: {"message_id":"m","queue_position":1}\n\n';
const accept = (response: ServerResponse) => {
  const accepted = { status: 'queued', message_id: 'm', queue_position: 1, stream_url: '/s', duplicate: true };
  response.end(JSON.stringify(accepted));
};
const lose = (response: ServerResponse) => void response.destroy();

test.serial(
  'send: a lost answer is asked for again under the same id; what is not known in the end is told',
  async (t) => {
    const again = await aScript(t, [lose, accept], `id: 1\n${DONE}`);
    t.deepEqual(await start(t, ['send', 'Hi', '--url', again.url]).ended, { code: 0, out: '', err: 'Message m.\n' });
    t.is(again.ids.length, 2);
    t.is(new Set(again.ids).size, 1);
    t.regex(String(again.ids[0]), /^[\w-]{36}$/);

    const late = (response: ServerResponse) => void response.writeHead(503, { 'Retry-After': '60' }).end();
    for (const more of [[], ['--json']]) {
      const never = await aScript(t, [lose, late]);
      const { code, err } = await start(t, ['send', 'Hi', '--url', never.url, ...more]).ended;
      t.is(code, 1);
      t.true(err.includes(` It may have been accepted; repeat with --client-message-id ${never.ids[0]}.`), err);
    }
  },
);

test.serial('a connection that is lost in mid-reply is told; a log that begins anew is told whole', async (t) => {
  const streams = [`retry: 1\n\nid: 1\n${QUEUED}id: 2\n${SAID}`, 'retry: 1\n\n', `id: 3\n${DONE}`];
  const { url } = await aScript(t, [accept], ...streams);
  const { out, err } = await start(t, ['send', 'Hi', '--url', url]).ended;
  t.is(out, 'one \n');
  t.is(err, 'Message m.\nNext in the queue.\nThe connection is lost; trying again.\n');

  const complete = 'data: {"type":"complete","response":{"responses":["two"]}}\n\n';
  const anew = await aScript(t, [accept], `id: 1\n${SAID}id: 2\n${QUEUED}id: 3\n${complete}id: 4\n${DONE}`);
  t.is((await start(t, ['send', 'Hi', '--url', anew.url]).ended).out, 'one \ntwo\n');
});

test.serial('a message whose events are read or forgotten is told as it ended', async (t) => {
  const { run, client } = await aCli(t, { EVENT_RETENTION_SECONDS: '1' });
  const failed = await client.send('ruth', '[[status=400]]');
  const last = (await client.all('ruth', failed)).length;
  const told = await run('tail', failed, '--after', String(last));
  t.is(told.code, 1);
  t.regex(told.err, /^The message is failed \(worker_rejected\): [^\n]+\n$/);
  const inJson = await run('tail', failed, '--json', '--after', String(last));
  t.like(inJson, { code: 1, err: '' });
  t.like(lines(inJson.out), [{ type: 'state', status: 'failed' }]);

  const sending = ['send', 'Hi', '--client-message-id', 'mine', '--client', 'web'];
  const id = await client.send('ruth', 'Hi', { client_message_id: 'mine' });
  while ((await client.get(`/api/v1/queue/ruth/messages/${id}`)).status !== 404);
  t.deepEqual(await run(...sending), {
    code: 0,
    out: '',
    err: `Message ${id}, accepted before.\nThe message is completed: its reply is forgotten.\n`,
  });
});

test.serial(
  '--json: faults are lines of JSON too; what others wrote steers no terminal and stays on its line',
  async (t) => {
    const letter = {
      ...{ kind: 'message', message_id: 'm', user_id: 'u\u009b2J', attempts: 1 },
      ...{ queued_at: 'q', failed_at: 'f', code: 'c', error: 'two\n lines\u007f' },
    };
    const url = await aServer(t, (request, response) => {
      if (request.url?.startsWith('/api/v1/dead-letters')) {
        response.end(JSON.stringify({ dead_letters: [letter], next_cursor: '1~m' }));
        return;
      }
      response.writeHead(500, { 'X-Request-Id': 'r-1' });
      response.end(JSON.stringify({ code: 'internal_error', detail: 'It\nfailed.' }));
    });
    const run = (...args: string[]) => start(t, args, { BROKER_URL: url }).ended;
    t.deepEqual(await run('queue', 'u'), { code: 1, out: '', err: 'It failed. (r-1)\n' });
    const fault = await run('queue', 'u', '--json');
    t.deepEqual([fault.code, fault.out], [1, '']);
    const error = { code: 'internal_error', status: 500, message: 'It\nfailed. (r-1)', request_id: 'r-1' };
    t.deepEqual(lines(fault.err), [{ error }]);
    t.like(lines((await run('cancel', '--json')).err), [{ error: { code: 'usage' } }]);

    const page = await run('dead-letters', '--json');
    t.deepEqual<unknown, unknown>(lines(page.out), [letter, { next_cursor: '1~m' }]);
    t.true(page.out.includes('u\\u009b2J') && page.out.includes('lines\\u007f'));
    t.is(page.err, '');
    t.is((await run('dead-letters')).out, 'f  m  u2J\n  c after 1: two  lines\n');
  },
);

test.serial('an output that cannot be written is a failure', async (t) => {
  const { url } = await aCli(t);
  const full = openSync('/dev/full', 'w');
  t.teardown(() => closeSync(full));
  for (const args of [['send', 'Hi', '--json'], ['health'], ['--help']]) {
    const { code, err } = await start(t, args, { BROKER_URL: url }, full).ended;
    t.is(code, 1, args.join(' '));
    t.is(err, 'The output cannot be written (ENOSPC).\n');
  }
});
