import type { Broker } from './broker.ts';
import type { Deployment } from './deployment.ts';
import { fieldsOf } from './facts.ts';
import type { History, LoggedEvent, StoredMessage, WorkLeft } from './history.ts';
import { Listener } from './listener.ts';
import type { ListenerPlan, MessagePlan } from './plan.ts';
import { callsOf } from './recording.ts';
import type { Surroundings } from './surroundings.ts';
import type { User } from './user.ts';

/** So long may reading take, also when the run was given up: the checker is to have all there is. */
const READ_WITHIN_MS = 60_000;
const READER: ListenerPlan = { kind: 'stays', seed: 0 };

/** Waits until all has come to rest, now that all is healed, and reads what became of it. */
export async function conclude(
  deployment: Deployment,
  users: readonly User[],
  meanwhile: Surroundings,
): Promise<History> {
  await Promise.all(users.map((user) => user.ask()));
  await Promise.all(users.map((user) => user.heard()));
  const around = { ...meanwhile, givenUp: AbortSignal.timeout(READ_WITHIN_MS) };
  const { recording, worker, leaseMs } = deployment;
  const messages = await Promise.all(users.map((user) => storedOf(user, around)));
  const over = worker.until(() => (worker.open === 0 ? true : undefined));
  await Promise.race([over, aborted(around.givenUp)]);
  return {
    leaseMs,
    sendings: recording.sendings,
    cancellings: recording.cancellings,
    listenings: recording.listenings,
    calls: callsOf(worker),
    disturbances: recording.disturbances,
    workerOutages: recording.workerOutages,
    brokerFaults: recording.brokerFaults,
    messages: messages.flat(),
    left: await leftOf(users, around.brokers[0]),
  };
}

/** A user's messages as the store has them, read to the end of each, once here and once at another broker. */
function storedOf(user: User, around: Surroundings): Promise<StoredMessage[]> {
  const [first, ...others] = around.brokers;
  const read = async ([message, messageId]: [MessagePlan, string], index: number): Promise<StoredMessage> => {
    const log = await readAt(first, user.queue, messageId, around);
    const other = others[index % Math.max(1, others.length)];
    if (other) await readAt(other, user.queue, messageId, around);
    return { queue: user.queue, messageId, status: await user.statusOf(message, around), log };
  };
  return Promise.all([...user.accepted].map(read));
}

/** Reads a message at one broker, as any other listener does; answers what it saw. */
async function readAt(
  broker: Broker,
  queue: string,
  messageId: string,
  around: Surroundings,
): Promise<readonly LoggedEvent[]> {
  const listener = `the reader of ${messageId} at ${broker.name}`;
  const reader = new Listener({ listener, queue, messageId }, READER, { ...around, brokers: [broker] });
  await reader.run();
  return around.recording.listenings
    .filter((listening) => listening.listener === listener)
    .flatMap(({ events }) => events.filter(({ id }) => id !== undefined))
    .map(({ name, data }) => ({ name, data }));
}

async function leftOf(users: readonly User[], { client }: Broker): Promise<WorkLeft> {
  const { body: health } = await client.get('/health');
  const queues = await Promise.all(users.map(({ queue }) => client.get(`/api/v1/queue/${queue}`)));
  return {
    activeQueues: Number(health['active_queues']),
    waiting: Number(health['messages_waiting']),
    processing: Number(health['messages_processing']),
    messageIds: queues.flatMap(({ body }) => idsIn(body['messages'])),
  };
}

function idsIn(messages: unknown): string[] {
  if (!Array.isArray(messages)) return [`no list of messages: ${JSON.stringify(messages)}`];
  return messages.map((message: unknown) =>
    String(fieldsOf({ name: '', data: JSON.stringify(message) })['message_id']),
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
