import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Marks where a section begins in the file, and which it is. */
const MARK = /^<!-- (\w+) -->$/m;

/**
 * `results.md`: a section for each scenario, in their order, of the last time when it was measured whole. A run of some of
 * them leaves the others as they are.
 */
export class Results {
  readonly #file: string;
  readonly #order: readonly string[];
  readonly #sections: Map<string, string>;

  /** `order`: the names of all scenarios. */
  constructor(file: string, order: readonly string[]) {
    this.#file = file;
    this.#order = order;
    this.#sections = existsSync(file) ? sectionsOf(readFileSync(file, 'utf8')) : new Map();
  }

  /** Writes a section in the place of what was there of that scenario. */
  put(name: string, section: string): void {
    this.#sections.set(name, section);
    const parts = this.#order.flatMap((one) => {
      const text = this.#sections.get(one);
      return text === undefined ? [] : `<!-- ${one} -->\n${text.trim()}\n`;
    });
    const head = '# Results\n\nMade by `npm run bench`: medians, in brackets the least and the most.\n';
    writeFileSync(this.#file, [head, ...parts].join('\n'));
  }
}

function sectionsOf(text: string): Map<string, string> {
  const [, ...parts] = text.split(MARK);
  const sections = new Map<string, string>();
  for (let i = 0; i + 1 < parts.length; i += 2) sections.set(parts[i] ?? '', parts[i + 1] ?? '');
  return sections;
}
