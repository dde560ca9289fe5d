import { setTimeout as delay } from 'node:timers/promises';
import { isObject } from '../src/json.ts';
import type { NewMessage, Store } from '../src/store/store.ts';
import { aMessage } from '../test/store/contract/kit.ts';
import type { Child } from './child.ts';
import type { Contender } from './contenders.ts';
import { type Answer, ask, Connection, post, read } from './http.ts';
import { Reply } from './reply.ts';
import type { Report } from './worker.ts';

export type Load = {
  readonly messages: number;
  readonly users: number;
  /** The number of the first of them, 0 unless it is told. */
  readonly from?: number;
  readonly connections: number;
  /** As `worker.ts` reads it: `<events> <bytes of each> <ms before each>`. */
  readonly call?: string;
  /** Reads each message's events to their end over the connection that it was sent over. */
  readonly oneStep?: boolean;
  /** Sees each answer, and the user it is for. */
  readonly each?: (answer: Answer, user: string) => void;
};

/** What a message asks of the worker, unless it is told otherwise: 7 events of 50 bytes, at once. */
const CALL = '7 50';

/** Counts messages over the whole bench, so that each user's later ones have the greater numbers. */
let sent = 0;

/**
 * Sends messages as fast as they are taken. Each user's go over one connection, one after the other, so that they are
 * accepted in their order.
 */
export async function send({ children }: Contender, load: Load): Promise<void> {
  const { messages, users, from = 0, oneStep = false, each } = load;
  const connections = Math.min(load.connections, users);
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const connection = new Connection(children[index % children.length]?.url ?? '');
      const share = Math.floor(messages / connections) + (index < messages % connections ? 1 : 0);
      let user = index;
      for (let i = 0; i < share; i += 1) {
        const name = `user-${from + user}`;
        const answer = await connection.send(aRequest(name, load.call, oneStep));
        if (answer.status !== (oneStep ? 200 : 202)) throw new Error(`answered ${answer.status}: ${answer.body}`);
        each?.(answer, name);
        user += connections;
        if (user >= users) user = index;
      }
      connection.close();
    }),
  );
}

/** The bytes of `POST /api/v1/message`. */
export function aRequest(user: string, call = CALL, oneStep = false): Buffer {
  sent += 1;
  const body = { user_id: user, org_id: 'unfoldingWord', client_id: 'web', message: `${sent} ${call}` };
  return post('/api/v1/message', body, oneStep ? { accept: 'text/event-stream' } : {});
}

/** The bytes of the call that a broker makes of such a message. */
export function aCall(user: string, call = CALL): Buffer {
  sent += 1;
  const body = { user_id: user, org: 'unfoldingWord', client_id: 'web', message: `${sent} ${call}` };
  return post('/api/v1/chat/stream', body, { accept: 'text/event-stream' });
}

/** Puts one message into each of so many queues. */
export function waiting(users: number, call = CALL): (store: Store) => Promise<void> {
  return async (store) => {
    for (let from = 0; from < users; from += 1000) {
      const portion = Array.from({ length: Math.min(1000, users - from) }, (_, index) => stored(from + index, call));
      await Promise.all(portion.map((message) => store.enqueue(message)));
    }
  };
}

function stored(n: number, call: string): NewMessage {
  const user = `user-${n}`;
  const payload = { client_id: 'web', user_id: user, message: `1 ${call}`, message_type: 'text', org: 'unfoldingWord' };
  return aMessage(user, { payload: JSON.stringify(payload) });
}

/** Resolves when the worker has had so many calls, and the contender has settled them. Throws when it stands still. */
export async function settled(contender: Contender, worker: Child, calls: number): Promise<void> {
  let before = -1;
  let since = performance.now();
  for (;;) {
    const report = await reportOf(worker);
    if (report.calls >= calls && (await unsettled(contender)) === 0) return;
    if (report.calls !== before) since = performance.now();
    before = report.calls;
    if (performance.now() - since > 30_000) throw new Error(`it stands still at ${before} of ${calls} calls`);
    await delay(10);
  }
}

/** Messages that wait or are worked on. */
export async function unsettled({ children }: Contender): Promise<number> {
  const health = await ask(children[0]?.url ?? '', '/health');
  if (!isObject(health)) throw new Error('its health is no object');
  return Number(health['messages_waiting']) + Number(health['messages_processing']);
}

/** Users who have work at this broker, as its metrics tell. */
export async function usersAt({ url }: Child): Promise<number> {
  return Number(/^broker_users (\d+)$/m.exec((await read(url, '/metrics')).body)?.[1]);
}

/** What the worker has counted since it was last asked to forget. `hold`: it answers no call until `go`. */
export async function reportOf(
  worker: Child,
  question: 'report' | 'forget' | 'hold' | 'go' = 'report',
): Promise<Report> {
  const report = await worker.ask(question);
  if (!isObject(report)) throw new Error('the worker answered no report');
  const { calls, disordered, overlapping, firstCallAt } = report;
  return {
    calls: Number(calls),
    disordered: Number(disordered),
    overlapping: Number(overlapping),
    firstCallAt: Number(firstCallAt),
  };
}

/**
 * Throws unless the worker was called once for each of so many messages and, where that is promised, in the order of each
 * user's, none beside another.
 */
export async function mustHaveCalled(worker: Child, messages: number, ordered = true): Promise<void> {
  const { calls, disordered, overlapping } = await reportOf(worker);
  if (calls !== messages) throw new Error(`${messages} messages made ${calls} calls`);
  if (ordered && (disordered || overlapping))
    throw new Error(`${disordered} calls out of order, ${overlapping} overlapping`);
}

/** Throws unless these are so many events of the worker, each once and in order. */
export function mustBeReply(stream: string, events: number): void {
  const reply = new Reply();
  for (const [, data = ''] of stream.matchAll(/^data: (.*)$/gm)) reply.take(data);
  reply.mustBe(events);
}

/** Throws unless the stream is a message's whole life with so many events of the worker, each once and in order. */
export function mustBeWhole(stream: string, events: number): void {
  let id = 0;
  for (const found of stream.matchAll(/^id: (\d+)$/gm)) {
    id += 1;
    if (Number(found[1]) !== id) throw new Error(`event ${found[1]} came in the place of ${id}`);
  }
  // `queued`, `processing`, the worker's, `done`.
  if (id !== events + 3 || !stream.includes('\nevent: done\n'))
    throw new Error(`it has ${id} events: ${stream.slice(-500)}`);
  mustBeReply(stream, events);
}
