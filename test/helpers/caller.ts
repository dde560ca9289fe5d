import type { ExecutionContext } from 'ava';
import { Worker, type WorkerMessage, type WorkerSettings } from '../../src/worker/worker.ts';

/** Who makes calls to the worker at `url`, until the test is over. */
export function aCaller(t: ExecutionContext, url: string, settings: Partial<WorkerSettings> = {}): Worker {
  const worker = new Worker({
    baseUrl: url,
    apiKey: undefined,
    connectTimeoutMs: 60_000,
    idleTimeoutMs: 60_000,
    timeoutMs: 60_000,
    ...settings,
  });
  t.teardown(() => worker.close());
  return worker;
}

/** What a user says, as the worker is told it. */
export function aMessageOf(user: string, message = 'hello'): WorkerMessage {
  const payload = JSON.stringify({ user_id: user, message });
  return { id: `message of ${user}`, takePayload: () => payload, attempt: 1, trace: { requestId: '' } };
}
