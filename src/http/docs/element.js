/** Makes an element. Children are elements and texts, and lists of them; a text is never read as HTML. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.flat(Infinity).filter((child) => child !== undefined));
  return made;
}

/** A table with a heading for each column; undefined without rows. */
export function table(headings, rows) {
  if (!rows.length) return undefined;
  const head = headings.map((heading) => element('th', { scope: 'col' }, heading));
  const body = rows.map((cells) =>
    element(
      'tr',
      {},
      cells.map((cell) => element('td', {}, cell)),
    ),
  );
  return element('table', {}, element('thead', {}, element('tr', {}, head)), element('tbody', {}, body));
}
