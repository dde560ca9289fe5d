import type { SimulatedWorker } from '../../src/simulated-worker/server.ts';
import { aBody, type Client, theEnd } from '../helpers/client.ts';

export type Outage = {
  /** How long the worker is away. */
  readonly seconds: number;
  /** How many messages arrive meanwhile, evenly. */
  readonly messages: number;
};

const USERS = 50;

/** Stops the worker, sends messages all the while, and starts it again. Answers how each of them ended. */
export async function sitOut(outage: Outage, client: Client, worker: SimulatedWorker): Promise<readonly string[]> {
  await worker.stop();
  const begunMs = performance.now();
  const sent: { user: string; id: string }[] = [];
  for (let n = 0; n < outage.messages; n += 1) {
    const dueMs = begunMs + (n * outage.seconds * 1000) / outage.messages;
    const user = `user-${n % USERS}`;
    const { body } = await client.post(aBody(user, `message ${n}`));
    sent.push({ user, id: String(body['message_id']) });
    await new Promise((resolve) => void setTimeout(resolve, Math.max(0, dueMs - performance.now())));
  }
  await new Promise(
    (resolve) => void setTimeout(resolve, Math.max(0, begunMs + outage.seconds * 1000 - performance.now())),
  );
  await worker.start();
  return Promise.all(sent.map(async ({ user, id }) => String(theEnd(await client.all(user, id))['status'])));
}
