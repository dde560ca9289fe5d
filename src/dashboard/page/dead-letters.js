import { useState } from 'preact/hooks';
import { json, queuePath } from './api.js';
import { time } from './format.js';
import { html } from './html.js';
import { Stale } from './stale.js';

/** @import { DeadLetterView, Frame } from '../frame.ts' */
/** @import { Question } from './confirm.js' */
/** @typedef {{ cursor: string, items: readonly DeadLetterView[], next_cursor: string | null }} Page */

/** In a page, as of the newest. */
const SHOWN = '20';

/**
 * What failed: the newest, as they are told each second, or a page of older ones.
 * @param {object} props
 * @param {Frame['dead_letters']} props.newest
 * @param {boolean} props.showContent
 * @param {(question: Question) => void} props.ask
 * @param {(userId: string, messageId: string) => void} props.open
 * @param {(error: unknown) => void} props.fail
 */
export function DeadLetters({ newest, showContent, ask, open, fail }) {
  const [page, setPage] = useState(/** @type {Page | undefined} */ (undefined));
  const { items = [], next_cursor: next = null } = page ?? newest ?? {};
  const turnTo = async (/** @type {string} */ cursor) => {
    const query = new URLSearchParams({ cursor, limit: SHOWN });
    const { dead_letters, next_cursor } = await json(`api/v1/dashboard/dead-letters?${query}`);
    setPage({ cursor, items: dead_letters, next_cursor });
  };
  const afterwards = async () => {
    if (page) await turnTo(page.cursor);
  };
  return html`
    <section aria-labelledby="dead-letters">
      <h2 id="dead-letters" tabindex="-1">Dead letters</h2>
      ${!page && html`<${Stale} list=${newest} />`}
      ${
        items.length > 0
          ? html`
              ${!showContent && html`<p><small>The worker's own words are not shown (DASHBOARD_SHOW_CONTENT).</small></p>`}
              <table class="letters">
                <thead>
                  <tr>
                    <th scope="col">User</th>
                    <th scope="col">Message</th>
                    <th scope="col">Failed</th>
                    <th scope="col">Reason</th>
                    <th scope="col" class="number">Attempts</th>
                    <th scope="col">Actions</th>
                  </tr>
                </thead>
                <tbody>
                  ${items.map((letter) => html`<${Row} key=${letter.kind + letter.message_id} letter=${letter} ask=${ask} open=${open} afterwards=${afterwards} />`)}
                </tbody>
              </table>
            `
          : (page || newest) && html`<p>There are none.</p>`
      }
      ${
        (page || next) &&
        html`
          <p class="pages">
            ${page ? 'Older ones.' : `The newest ${items.length}.`}
            ${page && html`<button type="button" onClick=${() => setPage(undefined)}>Newest</button>`}
            <button type="button" disabled=${!next} onClick=${() => next && turnTo(next).catch(fail)}>Older</button>
          </p>
        `
      }
    </section>
  `;
}

/**
 * @param {object} props
 * @param {DeadLetterView} props.letter
 * @param {(question: Question) => void} props.ask
 * @param {(userId: string, messageId: string) => void} props.open
 * @param {() => Promise<void>} props.afterwards
 */
function Row({ letter, ask, open, afterwards }) {
  const { kind, user_id, message_id, attempts, failed_at, code, error } = letter;
  const what = kind === 'callback' ? 'callback of message' : 'message';
  const name = `the ${what} ${message_id} of ${user_id} that failed at ${time(failed_at)}`;
  const only = kind === 'callback' ? { only: 'callback' } : {};
  const retry = () =>
    ask({
      question: `Try ${name} again?`,
      yes: 'Retry',
      act: async () => {
        const path = `${queuePath(user_id)}/messages/${encodeURIComponent(message_id)}/retry`;
        await json(`${path}?${new URLSearchParams(only)}`, { method: 'POST' });
        await afterwards();
        return `Trying ${name} again.`;
      },
    });
  const discard = () =>
    ask({
      question: `Discard ${name}? It is listed no more${kind === 'callback' ? '' : ', nor is its callback if that was given up'}.`,
      yes: 'Discard',
      act: async () => {
        const query = new URLSearchParams({ user_id, ...only });
        await json(`api/v1/dead-letters/${encodeURIComponent(message_id)}?${query}`, { method: 'DELETE' });
        await afterwards();
        return `Discarded ${name}.`;
      },
    });
  return html`
    <tr data-message=${message_id}>
      <th scope="row"><button type="button" class="link" aria-label="${user_id}: events of message ${message_id}" onClick=${() => open(user_id, message_id)}>${user_id}</button></th>
      <td data-label="Message"><code class="id">${message_id}</code>${kind === 'callback' && ', its callback'}</td>
      <td data-label="Failed">${time(failed_at)}</td>
      <td data-label="Reason"><code>${code}</code> ${error}</td>
      <td data-label="Attempts" class="number">${attempts}</td>
      <td class="actions">
        <button type="button" aria-label="Retry ${name}" onClick=${retry}>Retry</button>
        <button type="button" aria-label="Discard ${name}" onClick=${discard}>Discard</button>
      </td>
    </tr>
  `;
}
