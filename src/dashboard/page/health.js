import { count, duration, rate, time } from './format.js';
import { html } from './html.js';

/** @import { Frame } from '../frame.ts' */

const STORE = { whole: 'answers', 'in part': 'answers in part', away: 'does not answer' };
const CIRCUIT = { closed: 'calls are made', open: 'no calls are made', half_open: 'a few calls are tried' };

/**
 * How the broker is, at a glance; while it is away, how it was.
 * @param {{ frame: Frame, away: boolean }} props
 */
export function Health({ frame, away }) {
  const { store, worker, counts, sample } = frame;
  const redis = store.kind === 'redis' ? 'Redis' : 'One file';
  const calls = worker.connected
    ? `answers; ${CIRCUIT[worker.circuit]}`
    : `does not answer; ${CIRCUIT[worker.circuit]}`;
  return html`
    <section aria-labelledby="health">
      <h2 id="health">Health</h2>
      <p class="status ${away ? 'away' : frame.status}">
        <strong id="status" role="status">${frame.status}</strong>
        ${away && html` <span>at ${time(frame.at)}; how it is now is not known</span>`}
      </p>
      <dl class="facts">
        <${Fact} id="store" name="Store" value="${redis} ${STORE[store.state]}" note="since ${time(store.since)}" bad=${store.state !== 'whole'} />
        <${Fact} id="worker" name="Worker" value=${calls} note="since ${time(worker.since)}" bad=${!worker.connected || worker.circuit === 'open'} />
      </dl>
      <dl class="numbers">
        <${Fact} id="waiting" name="Waiting" value=${count(counts?.waiting)} />
        <${Fact} id="processing" name="Being worked on" value=${count(counts?.processing)} />
        <${Fact} id="oldest" name="Oldest wait" value=${duration(counts?.oldest_wait_seconds)} />
        <${Fact} id="queues" name="Queues with work" value=${count(counts?.active_queues)} />
        <${Fact} id="in" name="Messages in" value=${rate(sample.in_per_second)} />
        <${Fact} id="out" name="Messages out" value=${rate(sample.out_per_second)} />
        <${Fact} id="callbacks" name="Callbacks waiting" value=${count(counts?.callbacks)} />
        <${Fact} id="letters" name="Dead letters" value=${count(counts?.dead_letters)} />
      </dl>
    </section>
  `;
}

/** @param {{ id: string, name: string, value: string, note?: string, bad?: boolean }} props */
function Fact({ id, name, value, note, bad }) {
  return html`
    <div class=${bad ? 'fact bad' : 'fact'}>
      <dt>${name}</dt>
      <dd><span id=${id}>${value}</span>${note ? html` <small>${note}</small>` : null}</dd>
    </div>
  `;
}
