import type { SimulatedWorker } from '../../src/simulated-worker/server.ts';
import {
  type Cancelling,
  type Disturbance,
  FOREVER,
  type Listening,
  type Outage,
  type Sending,
  type WorkerCall,
} from './history.ts';

type Ongoing<Kind extends Outage> = { -readonly [Key in keyof Kind]: Kind[Key] };

/** What is written down while a run goes on. */
export class Recording {
  readonly sendings: Sending[] = [];
  readonly cancellings: Cancelling[] = [];
  readonly listenings: Listening[] = [];
  readonly disturbances: Disturbance[] = [];
  readonly workerOutages: Outage[] = [];
  readonly brokerFaults: string[] = [];

  /** A broker process is disturbed from now on; answers what says that it is over. */
  disturb(broker: string, kind: Disturbance['kind'], fromMs = performance.now()): () => void {
    return noted(this.disturbances, { broker, kind, fromMs, toMs: FOREVER });
  }

  /** The worker is down from now on; answers what says that it is up again. */
  workerGoes(): () => void {
    return noted(this.workerOutages, { fromMs: performance.now(), toMs: FOREVER });
  }
}

/** What the worker saw, as history has it. A broker's process is known by the key it calls with. */
export function callsOf(worker: SimulatedWorker): WorkerCall[] {
  return worker.calls
    .map((call) => ({
      messageId: call.idempotencyKey,
      attempt: call.attempt,
      queue: call.queue,
      text: call.message,
      broker: (call.headers.authorization ?? '').replace('Bearer ', ''),
      startedAt: call.startedAt,
      endedAt: call.endedAt,
      startedMs: call.startedMs,
      endedMs: call.endedMs,
      clientGone: call.clientGone,
      goneOnArrival: call.sentBeforeGone === 0,
      sent: call.sentData.filter((data) => data !== '{"type":"keepalive"}'),
    }))
    .toSorted((one, other) => one.startedAt - other.startedAt);
}

function noted<Kind extends Outage>(list: Kind[], outage: Kind): () => void {
  const ongoing: Ongoing<Kind> = outage;
  list.push(outage);
  return () => {
    ongoing.toMs = performance.now();
  };
}
