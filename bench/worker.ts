/**
 * The AI engine as a bench needs it: the same bytes as the simulated worker's, at a fraction of its cost, and a count of
 * what came out of order. What a message asks for stands in its text: `<n> <events> <bytes of each> <ms before each> <ms before the first>`.
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

const HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' };
const replies = new Map<string, Buffer>();
const users = new Map<string, User>();
let calls = 0;
let disordered = 0;
let overlapping = 0;
let firstCallAt = 0;

const server = createServer({ keepAliveTimeout: 120_000 }, handle);
server.listen(Number(process.env['PORT']), '127.0.0.1');
process.on('message', (question) => {
  const report: Report = { calls, disordered, overlapping, firstCallAt };
  process.send?.(report);
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
  response.writeHead(200, HEAD);
  if (hold) await delay(hold);
  for (let event = 1; pause && event < events; event += 1) {
    await delay(pause);
    response.write(frame(progress(size)));
  }
  user.open -= 1;
  response.end(pause ? frame(COMPLETE) : whole(events, size));
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
function progress(size: number): string {
  const empty = '{"type":"progress","text":""}';
  return `{"type":"progress","text":"${'a'.repeat(Math.max(0, size - empty.length))}"}`;
}

function whole(events: number, size: number): Buffer {
  const key = `${events} ${size}`;
  const made = replies.get(key) ?? Buffer.from(frame(progress(size)).repeat(events - 1) + frame(COMPLETE));
  replies.set(key, made);
  return made;
}

function frame(data: string): string {
  return `data: ${data}\n\n`;
}
