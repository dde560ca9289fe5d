import { count, rate, time } from './format.js';
import { html } from './html.js';

/** @import { BrokerView } from '../frame.ts' */

/**
 * The brokers that share the store.
 * @param {{ brokers: readonly BrokerView[] }} props
 */
export function Brokers({ brokers }) {
  return html`
    <section aria-labelledby="brokers">
      <h2 id="brokers">Brokers</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">Broker</th>
            <th scope="col">State</th>
            <th scope="col">Since</th>
            <th scope="col" class="number">Worker calls</th>
            <th scope="col" class="number">Users</th>
            <th scope="col" class="number">Callbacks</th>
            <th scope="col" class="number">Listeners</th>
            <th scope="col" class="number">In</th>
            <th scope="col" class="number">Out</th>
          </tr>
        </thead>
        <tbody>
          ${brokers.map(
            (broker) => html`
              <tr key=${broker.id}>
                <th scope="row"><code>${broker.id.slice(-12)}</code> ${broker.version}${broker.own ? ' (this one)' : ''}</th>
                <td data-label="State">${stateOf(broker)}</td>
                <td data-label="Since">${time(broker.started_at)}</td>
                <td data-label="Worker calls" class="number">${count(broker.calls)} of ${count(broker.call_limit)}</td>
                <td data-label="Users" class="number">${count(broker.users)}</td>
                <td data-label="Callbacks" class="number">${count(broker.deliveries)}</td>
                <td data-label="Listeners" class="number">${count(broker.listeners)}</td>
                <td data-label="In" class="number">${rate(broker.in_per_second)}</td>
                <td data-label="Out" class="number">${rate(broker.out_per_second)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </section>
  `;
}

/** @param {BrokerView} broker */
function stateOf({ draining, worker, missed_since }) {
  if (missed_since) return `not heard of since ${time(missed_since)}`;
  if (draining) return 'stopping';
  return worker.connected && worker.circuit !== 'open' ? 'running' : 'running, without the worker';
}
