/**
 * The AI engine as a bench needs it: the same bytes as the simulated worker's, at a fraction of its cost, and a count of
 * what came out of order. What a message asks for stands in its text: `<n> <events> <bytes of each> <ms before each> <ms before the first>`.
 * The text of each event but the last, `complete`, begins with the event's number. Between `hold` and `go` no call is answered.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { isObject } from '../src/json.ts';

/** What the bench asks of it over IPC. */
export type Report = {
  readonly calls: number;
  /** Calls of a user that came after a later one. */
  readonly disordered: number;
  /** Calls of a user that came while another one was open. */
  readonly overlapping: number;
  /** When the first of them came, in ms since 1970; 0 when none has. */
  readonly firstCallAt: number;
};

type User = { last: number; open: number };

/** The events of an answer, one by one and all together. */
type Answer = { readonly frames: readonly string[]; readonly whole: Buffer };

const HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };
const answers = new Map<string, Answer>();
const users = new Map<string, User>();
let calls = 0;
let disordered = 0;
let overlapping = 0;
let firstCallAt = 0;
let gate: PromiseWithResolvers<void> | undefined;

const server = createServer({ keepAliveTimeout: 120_000 }, handle);
server.listen(Number(process.env['PORT']), '127.0.0.1');
process.on('message', (question) => {
  const report: Report = { calls, disordered, overlapping, firstCallAt };
  process.send?.(report);
  if (question === 'hold') gate ??= Promise.withResolvers();
  if (question === 'go') {
    gate?.resolve();
    gate = undefined;
  }
  if (question !== 'forget') return;
  calls = disordered = overlapping = firstCallAt = 0;
  users.clear();
});
process.on('disconnect', () => process.exit());

function handle(request: IncomingMessage, response: ServerResponse): void {
  if (request.method === 'GET') {
    response.end('{"status":"healthy"}');
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => void reply(JSON.parse(Buffer.concat(chunks).toString()), response));
}

async function reply(body: unknown, response: ServerResponse): Promise<void> {
  if (!isObject(body)) throw new Error('a call without a body');
  const [n = 0, events = 7, size = 50, pause = 0, hold = 0] = String(body['message']).split(' ').map(Number);
  const user = begin(String(body['user_id']), n);
  const answer = answerOf(events, size);
  await gate?.promise;
  response.writeHead(200, HEAD);
  if (hold) await delay(hold);
  for (let event = 1; pause && event < events; event += 1) {
    await delay(pause);
    response.write(answer.frames[event - 1]);
  }
  user.open -= 1;
  response.end(pause ? answer.frames.at(-1) : answer.whole);
}

function begin(id: string, n: number): User {
  const user = users.get(id) ?? { last: -1, open: 0 };
  users.set(id, user);
  calls += 1;
  firstCallAt ||= Date.now();
  if (n <= user.last) disordered += 1;
  if (user.open > 0) overlapping += 1;
  user.last = n;
  user.open += 1;
  return user;
}

const COMPLETE =
  '{"type":"complete","response":{"responses":["In the beginning was the Word."],"response_language":"en","voice_audio_base64":null,"voice_audio_url":null}}';

/** One of so many bytes. */
function progress(n: number, size: number): string {
  const empty = `{"type":"progress","text":"${n} "}`;
  return `{"type":"progress","text":"${n} ${'a'.repeat(Math.max(0, size - empty.length))}"}`;
}

function answerOf(events: number, size: number): Answer {
  const key = `${events} ${size}`;
  let answer = answers.get(key);
  if (!answer) {
    const frames = Array.from({ length: events - 1 }, (_, index) => frame(progress(index + 1, size)));
    frames.push(frame(COMPLETE));
    answer = { frames, whole: Buffer.from(frames.join('')) };
    answers.set(key, answer);
  }
  return answer;
}

function frame(data: string): string {
  return `data: ${data}\n\n`;
}
