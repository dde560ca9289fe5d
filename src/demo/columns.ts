const PAUSE_MS = 120;

/** Prints what several people see beside each other, a row at a time, as it comes. Works in a terminal and in a pipe. */
export class Columns {
  readonly #width: number;
  readonly #write: (text: string) => void;
  /** What each column has still to show: whole lines first, then the reply that streams. */
  readonly #columns: { lines: string[]; open: string }[];
  readonly #timer: NodeJS.Timeout;

  /** `columns`: characters across all of them. */
  constructor(titles: readonly string[], columns: number, write: (text: string) => void) {
    this.#width = Math.floor((columns - 3 * (titles.length - 1)) / titles.length);
    this.#write = write;
    this.#columns = titles.map((title) => ({ lines: [title, '─'.repeat(this.#width)], open: '' }));
    this.#timer = setInterval(() => this.#row(), PAUSE_MS);
  }

  /** Adds a line of its own. */
  line(column: number, text: string): void {
    const { lines } = this.#end(column);
    lines.push(...wrap(text, this.#width));
  }

  /** Adds to the text that streams. */
  stream(column: number, text: string): void {
    const shown = this.#columns[column];
    if (!shown) return;
    const [last = '', ...full] = wrap(shown.open + text.replaceAll('\n', ' '), this.#width).reverse();
    shown.lines.push(...full.reverse());
    shown.open = last;
  }

  /** Shows what is left and stops. */
  close(): void {
    clearInterval(this.#timer);
    for (const column of this.#columns.keys()) this.#end(column);
    while (this.#row());
  }

  #end(column: number): { lines: string[] } {
    const shown = this.#columns[column] ?? { lines: [], open: '' };
    if (shown.open.trim()) shown.lines.push(shown.open);
    shown.open = '';
    return shown;
  }

  #row(): boolean {
    const cells = this.#columns.map((column) => {
      const line = column.lines.shift();
      if (line !== undefined) return line;
      const { open } = column;
      column.open = '';
      return open.trim();
    });
    if (cells.every((cell) => !cell)) return false;
    this.#write(
      `${cells
        .map((cell) => cell.padEnd(this.#width))
        .join(' │ ')
        .trimEnd()}\n`,
    );
    return true;
  }
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/(?<= )/)) {
    if (line && line.length + word.trimEnd().length > width) {
      lines.push(line.trimEnd());
      line = '';
    }
    line += word;
  }
  lines.push(line);
  return lines;
}
