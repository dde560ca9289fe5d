import { setTimeout as delay } from 'node:timers/promises';
import type { StoreKind } from '../helpers/broker.ts';
import type { Broker } from './broker.ts';
import { conclude } from './conclusion.ts';
import { type Deployment, deploy } from './deployment.ts';
import type { History } from './history.ts';
import type { MessagePlan, Plan } from './plan.ts';
import { Recording } from './recording.ts';
import { CALLS, type StopPoint } from './stopping-store.ts';
import { surroundingsOf } from './surroundings.ts';
import { User } from './user.ts';

const GIVEN_UP_AFTER_MS = 120_000;
/** A broker that has not come to its point by then never will. */
const STOPS_WITHIN_MS = 30_000;
/** Calls that a broker makes because somebody asks for something; all others come with the work. */
const ASKED_FOR: Partial<Record<StopPoint['call'], readonly [method: string, path: string]>> = {
  sweep: ['GET', '/health'],
  ping: ['GET', '/health/ready'],
  queue: ['GET', '/api/v1/queue/user-0'],
  message: ['GET', '/api/v1/queue/user-0/messages/unknown'],
  deadLetters: ['GET', '/api/v1/dead-letters'],
  requeue: ['POST', '/api/v1/queue/user-0/messages/unknown/retry'],
};
/** Calls that a broker makes only when it is told to stop while it has work in hand. */
const WHEN_TOLD_TO_STOP: readonly StopPoint['call'][] = ['release', 'close'];

/**
 * One broker after the other on one store, each killing itself at another of all the calls that it makes of the store,
 * and a last one that lives: what there is to know of that.
 */
export async function runThroughStops(store: StoreKind, when: StopPoint['when']): Promise<History> {
  // The first look for work comes before a broker listens: it shall at least do that.
  const points = CALLS.map((call) => ({ call, nth: call === 'sweep' ? 2 : 1, when }));
  await using deployment = await deploy(planFor(store), new Recording(), points);
  const around = surroundingsOf(deployment, GIVEN_UP_AFTER_MS);
  const [broker] = around.brokers;
  const users: User[] = [];
  const talking: Promise<void>[] = [];
  let up = true;
  for (const [index, point] of points.entries()) {
    const user = new User(
      { queue: `user-${index}`, seed: index, messages: messagesOf(`user-${index}`, point) },
      around,
    );
    users.push(user);
    talking.push(user.talk());
    if (up) await bringToItsPoint(broker, point, deployment);
    up = await broker.startOrDie();
  }
  await Promise.all(talking);
  return await conclude(deployment, users, around);
}

/** Makes a broker do what it does, until it comes to the point where it kills itself. */
async function bringToItsPoint(broker: Broker, point: StopPoint, { worker }: Deployment): Promise<void> {
  const { client, life } = broker;
  const lateMs = performance.now() + STOPS_WITHIN_MS;
  let ended = false;
  const end = broker.killsItself().then(() => {
    ended = true;
  });
  if (WHEN_TOLD_TO_STOP.includes(point.call)) {
    await worker.onCall(
      (call) =>
        call.endedAt === undefined && call.message.includes('slow') && call.headers.authorization === `Bearer ${life}`,
    );
    broker.terminate();
  }
  while (!ended) {
    if (performance.now() > lateMs) throw new Error(`${life} has not come to its point: ${JSON.stringify(point)}`);
    const asked = ASKED_FOR[point.call];
    if (asked) await client.request(...asked).catch(() => {});
    await delay(20);
  }
  await end;
}

function planFor(store: StoreKind): Plan {
  const env = { LEASE_SECONDS: '1', SHUTDOWN_SECONDS: '0', MAX_ATTEMPTS: '100' };
  return { seed: 0, store, brokers: 1, clocksMs: [0], env, users: [], faults: [] };
}

/**
 * A worker that is too busy at first, one that takes so long that its claim is renewed, and one that says much. The last one
 * is cancelled, or all that waits with it, where that is the call at which the broker is to stop.
 */
function messagesOf(queue: string, { call }: StopPoint): MessagePlan[] {
  const texts = ['[[status=503 failtimes=1]] busy', '[[ttft=700]] slow', '[[chunk=20 events=6]] plain'];
  const last = texts.length - 1;
  return texts.map((text, index) => ({
    clientMessageId: `${queue}/${index}`,
    text: `${text} ${queue}`,
    pauseMs: 0,
    streamed: false,
    givesUp: false,
    // What interrupts is not claimed as it is accepted.
    interrupts: call === 'claim' && index === 0,
    cancelledAfterMs: call === 'cancel' && index === last ? 0 : undefined,
    clears: call === 'clear' && index === last,
    listeners: [{ kind: 'stays', seed: index }],
  }));
}
