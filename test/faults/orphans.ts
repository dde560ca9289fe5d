import { isVoided } from './attempts.ts';
import type { Facts } from './facts.ts';
import type { Disturbance, WorkerCall } from './history.ts';

/**
 * The one exception that guarantee G1 makes. At the moment `atMs` a call is an orphan if both are true:
 *
 * - its attempt is void: the log says `retrying` for a later one, so its claim was taken over, or that its message was
 *   cancelled, and nothing it still brings may count;
 * - its broker had broken it off before the worker read it: what was sent cannot be taken back, and the worker may be
 *   slow to read. Or by then its broker could not know that: it had been killed (and the worker has not noticed yet), or
 *   had been frozen or cut off from the store for so long that its claim may have run out.
 *
 * A broker renews three times within a lease, so that a claim runs out two thirds of a lease after the last possible
 * renewal; half a lease leaves room for one that was late. A broker that goes on learns of its loss with its next
 * renewal: a call begun more than a lease later is no orphan.
 *
 * Only an orphan may be open beside another call of its queue, or come out of turn.
 */
export function isOrphan(call: WorkerCall, atMs: number, { history, stored }: Facts): boolean {
  const { leaseMs, disturbances } = history;
  return (
    isVoided(call, stored.get(call.messageId ?? '')?.log) &&
    (call.goneOnArrival ||
      disturbances.some((disturbance) => disturbance.broker === call.broker && couldNotKnow(disturbance, call)))
  );

  function couldNotKnow({ kind, fromMs, toMs }: Disturbance, { startedMs }: WorkerCall): boolean {
    if (kind === 'killed') return fromMs <= atMs;
    const ranOutMs = fromMs + leaseMs / 2;
    return ranOutMs <= toMs && ranOutMs <= atMs && startedMs <= toMs + leaseMs;
  }
}
