import type { Figures, Scenario } from './scenario.ts';

/** The figures as a Markdown table: medians, their spread, and how they compare, pair by pair of each round. */
export function table({ compared }: Scenario, found: ReadonlyMap<string, readonly Figures[]>): string {
  const names = Object.keys([...found.values()][0]?.[0] ?? {});
  const base = compared && found.get(compared.with);
  const rows = [...found].map(([name, runs]) => {
    const cells = names.map((figure) => told(runs.map((run) => run[figure] ?? Number.NaN)));
    if (!compared) return [name, ...cells];
    const pairs = compared.figures.map((figure) =>
      runs.map((run, round) => {
        const [mine = Number.NaN, other = Number.NaN] = [run[figure], base?.[round]?.[figure]];
        return compared.how === 'ratio' ? mine / other : mine - other;
      }),
    );
    return [name, ...cells, ...pairs.map(told)];
  });
  const head = ['', ...names, ...(compared?.figures.map((figure) => `${compared.how} of ${figure}`) ?? [])];
  return [head, head.map((_, index) => (index ? '---:' : '---')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** `median (least to most)`. */
function told(values: readonly number[]): string {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  // The same one twice when there is one in the middle.
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (least === undefined || lower === undefined || upper === undefined || most === undefined) return '';
  const median = (lower + upper) / 2;
  return sorted.length === 1 ? round(median) : `${round(median)} (${round(least)} to ${round(most)})`;
}

/** As many digits as count. */
function round(value: number): string {
  return Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
