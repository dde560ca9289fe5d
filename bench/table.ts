import type { Figures, Scenario } from './scenario.ts';

/** The figures as a Markdown table: medians, their spread, and the ratios to the baseline, pair by pair of each round. */
export function table({ figures, baseline }: Scenario, found: ReadonlyMap<string, readonly Figures[]>): string {
  const names = Object.keys(figures);
  const [first = ''] = names;
  const base = found.get(baseline) ?? [];
  const rows = [...found].map(([name, runs]) => {
    const cells = names.map((figure) => told(runs.map((run) => run[figure])));
    const ratios = runs.map((run, round) => (run[first] ?? Number.NaN) / (base[round]?.[first] ?? Number.NaN));
    return [name, ...cells, told(ratios, 2)];
  });
  const head = ['', ...names, `ratio of ${first}`];
  return [head, head.map((_, index) => (index ? '---:' : '---')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** `median (least to most)`. */
function told(values: readonly (number | undefined)[], digits?: number): string {
  const sorted = values
    .filter((value) => value !== undefined && !Number.isNaN(value))
    .sort((a, b) => Number(a) - Number(b));
  const [least, median, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  if (least === undefined || median === undefined || most === undefined) return '';
  const text = (value: number) => (digits === undefined ? round(value) : value.toFixed(digits));
  return sorted.length === 1 ? text(median) : `${text(median)} (${text(least)}–${text(most)})`;
}

/** Three figures that count. */
function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
