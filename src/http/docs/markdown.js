import { html } from '../../dashboard/page/html.js';
import { Table } from './table.js';

/** What the document's descriptions use of CommonMark: paragraphs, lists, tables, code, emphasis. `title`: of its tables. */
export function Markdown({ text = '', title = '' }) {
  return text
    .split(/\n{2,}/)
    .filter(Boolean)
    .map((part) => block(part, title));
}

function block(text, title) {
  const lines = text.split('\n');
  if (lines.every((line) => line.startsWith('- '))) {
    return html`<ul>${lines.map((line) => html`<li>${inline(line.slice(2))}</li>`)}</ul>`;
  }
  if (lines.every((line) => line.startsWith('|'))) {
    const [headings, , ...rows] = lines.map(cells);
    return html`<${Table} title=${title} headings=${headings} rows=${rows} />`;
  }
  return html`<p>${inline(text)}</p>`;
}

function cells(line) {
  const parts = line.slice(1, -1).split('|');
  return parts.map((cell) => inline(cell.trim()));
}

function inline(text) {
  return text.split(/(`[^`]+`|\*[^*]+\*)/).map((part) => {
    if (part.startsWith('`')) return html`<code>${part.slice(1, -1)}</code>`;
    return part.startsWith('*') && part.length > 1 ? html`<em>${part.slice(1, -1)}</em>` : part;
  });
}
