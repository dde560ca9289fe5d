import type { Broker } from './broker.ts';
import type { Deployment } from './deployment.ts';
import type { Recording } from './recording.ts';

/** What whoever speaks to the brokers needs to know. */
export type Surroundings = {
  readonly brokers: readonly [Broker, ...Broker[]];
  readonly recording: Recording;
  /** Aborts when the run is given up. */
  readonly givenUp: AbortSignal;
};

/** Healed brokers end everything long before; what has not ended by then never will, and the checker is to say so. */
const GIVEN_UP_AFTER_MS = 90_000;

/** What clients see of a deployment, from now on. */
export function surroundingsOf({ brokers, recording }: Deployment, givenUpAfterMs = GIVEN_UP_AFTER_MS): Surroundings {
  const [first, ...others] = brokers;
  if (!first) throw new Error('There is no broker to speak to.');
  return { brokers: [first, ...others], recording, givenUp: AbortSignal.timeout(givenUpAfterMs) };
}
