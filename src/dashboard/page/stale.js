import { time } from './format.js';
import { html } from './html.js';

/**
 * Says so when a list is not what the store has now.
 * @param {{ list: { as_of: string, stale: boolean } | undefined }} props
 */
export function Stale({ list }) {
  if (!list) return html`<p class="stale">Not known yet.</p>`;
  return list.stale && html`<p class="stale">As of ${time(list.as_of)}; the store does not tell it now.</p>`;
}
