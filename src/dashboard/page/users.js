import { useState } from 'preact/hooks';
import { count, duration } from './format.js';
import { html } from './html.js';

/** @import { DelayedView } from '../frame.ts' */

/**
 * The users who wait longest, and a way to any other.
 * @param {{ delayed: readonly DelayedView[], open: (userId: string) => void }} props
 */
export function Users({ delayed, open }) {
  const [by, setBy] = useState(/** @type {'wait_seconds' | 'length'} */ ('wait_seconds'));
  const search = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const user = String(new FormData(event.target).get('user') ?? '').trim();
    if (user) open(user);
  };
  const column = (/** @type {typeof by} */ field, /** @type {string} */ name) => html`
    <th scope="col" class="number" aria-sort=${by === field ? 'descending' : 'none'}>
      <button type="button" class="link" onClick=${() => setBy(field)}>${name}${by === field ? ' ▾' : ''}</button>
    </th>
  `;
  return html`
    <section aria-labelledby="users">
      <h2 id="users">Users who wait longest</h2>
      <form class="search" role="search" onSubmit=${search}>
        <label for="user">User or group queue (its whole name)</label>
        <input id="user" name="user" type="search" autocomplete="off" spellcheck="false" required />
        <button type="submit">Show</button>
      </form>
      ${
        delayed.length
          ? html`
              <table>
                <thead>
                  <tr>
                    <th scope="col">User</th>
                    ${column('wait_seconds', 'Waits for')} ${column('length', 'Messages waiting')}
                  </tr>
                </thead>
                <tbody>
                  ${delayed
                    .toSorted((a, b) => b[by] - a[by])
                    .map(
                      ({ user_id, wait_seconds, length }) => html`
                        <tr key=${user_id} data-user=${user_id}>
                          <th scope="row">
                            <button type="button" class="link" onClick=${() => open(user_id)}>${user_id}</button>
                          </th>
                          <td data-label="Waits for" class="number">${duration(wait_seconds)}</td>
                          <td data-label="Messages waiting" class="number">${count(length)}</td>
                        </tr>
                      `,
                    )}
                </tbody>
              </table>
              <p><small>The busiest of those waiting longest: sort by messages waiting.</small></p>
            `
          : html`<p>Nobody waits.</p>`
      }
    </section>
  `;
}
