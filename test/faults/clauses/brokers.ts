import type { Clause } from './clause.ts';

/** No broker ends unless it is ended, and none runs into a fault of its own, whatever goes wrong around it. */
export const brokersAreWell: Clause = function* ({ history }) {
  yield* history.brokerFaults;
};
