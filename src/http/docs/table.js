import { html } from '../../dashboard/page/html.js';

/** What may be wider than the page: it scrolls by itself, by keyboard too. `title` tells it from the others. */
export function Wide({ title, children }) {
  return html`<div class="wide" role="group" tabindex="0" aria-label=${title}>${children}</div>`;
}

/** A table with a heading for each column; nothing without rows. */
export function Table({ title, headings, rows }) {
  if (!rows.length) return undefined;
  return html`
    <${Wide} title=${title}>
      <table>
        <thead><tr>${headings.map((heading) => html`<th scope="col">${heading}</th>`)}</tr></thead>
        <tbody>${rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
      </table>
    <//>
  `;
}
