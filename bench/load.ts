import { setTimeout as delay } from 'node:timers/promises';
import { isObject } from '../src/json.ts';
import type { Child } from './child.ts';
import type { Contender } from './contenders.ts';
import { type Answer, Connection, get, post } from './http.ts';
import type { Report } from './worker.ts';

export type Load = {
  readonly messages: number;
  readonly users: number;
  readonly connections: number;
  /** As `worker.ts` reads it: `<events> <bytes of each> <ms before each>`. */
  readonly call?: string;
  /** Reads each message's events to their end over the connection that it was sent over. */
  readonly oneStep?: boolean;
  /** Sees each answer. */
  readonly each?: (answer: Answer, sentAt: number, user: string) => void;
};

/** Counts messages over the whole bench, so that each user's later ones have the greater numbers. */
let sent = 0;

/**
 * Sends messages as fast as they are taken. Each user's go over one connection, one after the other, so that they are
 * accepted in their order.
 */
export async function send(urls: readonly string[], load: Load): Promise<void> {
  const { messages, users, connections, call = '7 50', oneStep = false, each } = load;
  const headers = oneStep ? { accept: 'text/event-stream' } : {};
  await Promise.all(
    Array.from({ length: Math.min(connections, users) }, async (_, index) => {
      const connection = new Connection(urls[index % urls.length] ?? '');
      const step = Math.min(connections, users);
      const share = Math.floor(messages / step) + (index < messages % step ? 1 : 0);
      let user = index;
      for (let i = 0; i < share; i += 1) {
        sent += 1;
        const request = post('/api/v1/message', bodyOf(`user-${user}`, `${sent} ${call}`), headers);
        const sentAt = performance.now();
        const answer = await connection.send(request);
        if (answer.status !== (oneStep ? 200 : 202)) throw new Error(`answered ${answer.status}: ${answer.body}`);
        each?.(answer, sentAt, `user-${user}`);
        user += step;
        if (user >= users) user = index;
      }
      connection.close();
    }),
  );
}

/** The same fields for every contender. */
export function bodyOf(user: string, message: string): Record<string, string> {
  return { user_id: user, org_id: 'unfoldingWord', client_id: 'web', message };
}

/** Resolves when the worker has had so many calls, and the contender has settled them. Throws when there is no progress. */
export async function settled(contender: Contender, worker: Child, calls: number): Promise<void> {
  let before = -1;
  let since = performance.now();
  for (;;) {
    const report = await reportOf(worker);
    if (report.calls >= calls && (await unsettled(contender)) === 0) return;
    if (report.calls !== before) since = performance.now();
    before = report.calls;
    if (performance.now() - since > 30_000)
      throw new Error(`${contender.name} stands still at ${before} of ${calls} calls`);
    await delay(10);
  }
}

/** Messages that wait or are worked on. */
export async function unsettled({ urls }: Contender): Promise<number> {
  const health: unknown = await ask(urls[0] ?? '', '/health');
  if (!isObject(health)) throw new Error(`${urls[0]} does not tell its health`);
  return Number(health['messages_waiting']) + Number(health['messages_processing']);
}

/** The JSON that a path answers. */
export async function ask(url: string, path: string): Promise<unknown> {
  const connection = new Connection(url);
  const { body } = await connection.send(get(path));
  connection.close();
  return JSON.parse(body);
}

/** What the worker has counted since it was last asked to forget. */
export async function reportOf(worker: Child, question: 'report' | 'forget' = 'report'): Promise<Report> {
  const report = await worker.ask(question);
  return report as Report;
}
