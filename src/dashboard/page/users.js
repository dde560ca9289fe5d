import { useState } from 'preact/hooks';
import { count, duration } from './format.js';
import { html } from './html.js';
import { Stale } from './stale.js';

/** @import { DelayedView, Listed, TurnView } from '../frame.ts' */

/**
 * The users who are at work or wait longest, and a way to any other.
 * @param {{ atWork: readonly TurnView[], delayed: Listed<DelayedView> | undefined, open: (userId: string) => void }} props
 */
export function Users({ atWork, delayed, open }) {
  const [sought, setSought] = useState('');
  const isSought = (/** @type {{ user_id: string }} */ { user_id }) =>
    user_id.toLowerCase().includes(sought.trim().toLowerCase());
  const working = atWork.filter(isSought);
  const waiting = (delayed?.items ?? []).filter(isSought);
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (sought.trim()) open(sought.trim());
  };
  const seek = (/** @type {InputEvent} */ { target }) => {
    if (target instanceof HTMLInputElement) setSought(target.value);
  };
  return html`
    <section aria-labelledby="users">
      <h2 id="users">Users</h2>
      <form class="search" role="search" onSubmit=${submit}>
        <label for="user">User or group queue</label>
        <input id="user" type="search" autocomplete="off" spellcheck="false" required value=${sought} onInput=${seek} />
        <button type="submit">Open</button>
        <small role="status">
          ${sought.trim() && !working.length && !waiting.length && 'Nobody listed is named so. Any other opens by the whole name.'}
        </small>
      </form>
      <div class="lists">
        <div>
          <h3>At work longest</h3>
          <${AtWork} turns=${working} open=${open} />
        </div>
        <div>
          <h3>Waiting longest <small>the first 20</small></h3>
          <${Stale} list=${delayed} />
          ${delayed && html`<${Waiting} queues=${waiting} open=${open} />`}
        </div>
      </div>
    </section>
  `;
}

/** @param {{ turns: readonly TurnView[], open: (userId: string) => void }} props */
function AtWork({ turns, open }) {
  if (!turns.length) return html`<p>Nobody.</p>`;
  return html`
    <table data-list="at-work">
      <thead>
        <tr>
          <th scope="col">User</th>
          <th scope="col" class="number">At work for</th>
          <th scope="col" class="number">Attempt</th>
        </tr>
      </thead>
      <tbody>
        ${turns.map(
          ({ user_id, message_id, attempt, seconds }) => html`
            <tr key=${message_id} data-user=${user_id}>
              <${Name} userId=${user_id} open=${open} />
              <td data-label="At work for" class="number">${duration(seconds)}</td>
              <td data-label="Attempt" class="number">${attempt}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

/** @param {{ queues: readonly DelayedView[], open: (userId: string) => void }} props */
function Waiting({ queues, open }) {
  const [by, setBy] = useState(/** @type {'wait_seconds' | 'length'} */ ('wait_seconds'));
  const column = (/** @type {typeof by} */ field, /** @type {string} */ name) => html`
    <th scope="col" class="number" aria-sort=${by === field ? 'descending' : 'none'}>
      <button type="button" class="link" onClick=${() => setBy(field)}>${name}${by === field ? ' ▾' : ''}</button>
    </th>
  `;
  if (!queues.length) return html`<p>Nobody.</p>`;
  return html`
    <table data-list="waiting">
      <thead>
        <tr>
          <th scope="col">User</th>
          ${column('wait_seconds', 'Waits for')} ${column('length', 'Messages')}
        </tr>
      </thead>
      <tbody>
        ${queues
          .toSorted((a, b) => b[by] - a[by])
          .map(
            ({ user_id, wait_seconds, length }) => html`
              <tr key=${user_id} data-user=${user_id}>
                <${Name} userId=${user_id} open=${open} />
                <td data-label="Waits for" class="number">${duration(wait_seconds)}</td>
                <td data-label="Messages" class="number">${count(length)}</td>
              </tr>
            `,
          )}
      </tbody>
    </table>
  `;
}

/** @param {{ userId: string, open: (userId: string) => void }} props */
function Name({ userId, open }) {
  return html`
    <th scope="row"><button type="button" class="link" onClick=${() => open(userId)}>${userId}</button></th>
  `;
}
