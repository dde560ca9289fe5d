import { json } from './api.js';
import { time } from './format.js';
import { html } from './html.js';

/** @import { DeadLetterView } from '../frame.ts' */
/** @import { Question } from './confirm.js' */

/**
 * What failed, the newest first.
 * @param {{ letters: readonly DeadLetterView[], ask: (question: Question) => void, open: (userId: string) => void }} props
 */
export function DeadLetters({ letters, ask, open }) {
  return html`
    <section aria-labelledby="dead-letters">
      <h2 id="dead-letters">Dead letters</h2>
      ${
        letters.length
          ? html`
              <table>
                <thead>
                  <tr>
                    <th scope="col">User</th>
                    <th scope="col">What</th>
                    <th scope="col">Failed</th>
                    <th scope="col">Reason</th>
                    <th scope="col" class="number">Attempts</th>
                    <th scope="col">Actions</th>
                  </tr>
                </thead>
                <tbody>
                  ${letters.map((letter) => html`<${Row} key=${letter.kind + letter.message_id} letter=${letter} ask=${ask} open=${open} />`)}
                </tbody>
              </table>
            `
          : html`<p>There are none.</p>`
      }
    </section>
  `;
}

/** @param {{ letter: DeadLetterView, ask: (question: Question) => void, open: (userId: string) => void }} props */
function Row({ letter, ask, open }) {
  const { kind, user_id, message_id, attempts, failed_at, code, error } = letter;
  const what = kind === 'callback' ? 'callback' : 'message';
  const name = `the ${what} of ${user_id} that failed at ${time(failed_at)}`;
  const path = `api/v1/queue/${encodeURIComponent(user_id)}/messages/${encodeURIComponent(message_id)}/retry`;
  const retry = () =>
    ask({
      question: `Try ${name} again?`,
      yes: 'Retry',
      act: async () => {
        await json(kind === 'callback' ? `${path}?only=callback` : path, { method: 'POST' });
        return `Trying ${name} again.`;
      },
    });
  const discard = () =>
    ask({
      question: `Discard ${name}? It is listed no more.`,
      yes: 'Discard',
      act: async () => {
        const query = new URLSearchParams({ user_id });
        await json(`api/v1/dead-letters/${encodeURIComponent(message_id)}?${query}`, { method: 'DELETE' });
        return `Discarded ${name}.`;
      },
    });
  return html`
    <tr data-message=${message_id}>
      <th scope="row"><button type="button" class="link" onClick=${() => open(user_id)}>${user_id}</button></th>
      <td data-label="What">${what} <code title=${message_id}>…${message_id.slice(-12)}</code></td>
      <td data-label="Failed">${time(failed_at)}</td>
      <td data-label="Reason"><code>${code}</code> ${error}</td>
      <td data-label="Attempts" class="number">${attempts}</td>
      <td data-label="Actions" class="actions">
        <button type="button" aria-label="Retry ${name}" onClick=${retry}>Retry</button>
        <button type="button" aria-label="Discard ${name}" onClick=${discard}>Discard</button>
      </td>
    </tr>
  `;
}
