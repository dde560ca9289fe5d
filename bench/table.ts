import type { Figures, Scenario } from './scenario.ts';

/** The figures as a Markdown table: medians, their spread, and how they compare, pair by pair of each round. */
export function table({ compared }: Scenario, found: ReadonlyMap<string, readonly Figures[]>): string {
  const names = Object.keys([...found.values()][0]?.[0] ?? {});
  const base = compared && found.get(compared.with);
  const rows = [...found].map(([name, runs]) => {
    const cells = names.map((figure) => told(runs.map((run) => run[figure] ?? Number.NaN)));
    if (!compared) return [name, ...cells];
    const pairs = runs.map((run, round) => {
      const [mine = Number.NaN, other = Number.NaN] = [run[compared.figure], base?.[round]?.[compared.figure]];
      return compared.how === 'ratio' ? mine / other : mine - other;
    });
    return [name, ...cells, told(pairs)];
  });
  const head = ['', ...names, ...(compared ? [`${compared.how} of ${compared.figure}`] : [])];
  return [head, head.map((_, index) => (index ? '---:' : '---')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** `median (least to most)`. */
function told(values: readonly number[]): string {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const [least, median, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  if (least === undefined || median === undefined || most === undefined) return '';
  return sorted.length === 1 ? round(median) : `${round(median)} (${round(least)} to ${round(most)})`;
}

/** As many digits as count. */
function round(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
