import { element, table } from './element.js';

/** Elements for what the document's descriptions use of CommonMark: paragraphs, lists, tables, code, emphasis. */
export function markdown(text = '') {
  return text
    .split(/\n{2,}/)
    .filter(Boolean)
    .map(block);
}

function block(text) {
  const lines = text.split('\n');
  if (lines.every((line) => line.startsWith('- '))) {
    return element(
      'ul',
      {},
      lines.map((line) => element('li', {}, inline(line.slice(2)))),
    );
  }
  if (lines.every((line) => line.startsWith('|'))) {
    const [headings, , ...rows] = lines.map(cells);
    return table(headings, rows);
  }
  return element('p', {}, inline(text));
}

function cells(line) {
  const parts = line.slice(1, -1).split('|');
  return parts.map((cell) => inline(cell.trim()));
}

function inline(text) {
  return text.split(/(`[^`]+`|\*[^*]+\*)/).map((part) => {
    if (part.startsWith('`')) return element('code', {}, part.slice(1, -1));
    return part.startsWith('*') && part.length > 1 ? element('em', {}, part.slice(1, -1)) : part;
  });
}
