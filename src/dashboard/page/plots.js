import { useEffect, useMemo, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { clock, count, duration, rate } from './format.js';
import { html } from './html.js';

/** @import { Column, Sample } from '../frame.ts' */
/** @typedef {{ field: keyof Sample, name: string }} Line */
/**
 * @typedef {object} Plotted
 * @property {string} title
 * @property {(value: number | null | undefined) => string} format
 * @property {number} least The scale goes up to that at least.
 * @property {number[]} [steps] what may be between two ticks of the scale
 * @property {readonly Line[]} lines
 */

const HEIGHT = 150;
const HOUR_SECONDS = 3600;
/** Of a broker that has just started, no less is shown. */
const LEAST_SECONDS = 120;

/** Of scales of time: in seconds, as they are read well. */
const STEPS = [
  0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400,
];
const TIMES = { format: duration, least: 0.01, steps: STEPS };

/** @type {readonly Plotted[]} */
const PLOTS = [
  {
    title: 'Messages per second',
    format: rate,
    least: 1,
    lines: [
      { field: 'in_per_second', name: 'in' },
      { field: 'out_per_second', name: 'out' },
    ],
  },
  { title: 'Waiting messages', format: count, least: 2, lines: [{ field: 'waiting', name: 'waiting' }] },
  { title: 'Oldest wait', ...TIMES, lines: [{ field: 'oldest_wait_seconds', name: 'oldest' }] },
  {
    title: 'Time in queue',
    ...TIMES,
    lines: [
      { field: 'queue_p50_seconds', name: 'p50' },
      { field: 'queue_p95_seconds', name: 'p95' },
    ],
  },
  {
    title: 'Time at the worker',
    ...TIMES,
    lines: [
      { field: 'worker_p50_seconds', name: 'p50' },
      { field: 'worker_p95_seconds', name: 'p95' },
    ],
  },
];

/**
 * The last hour.
 * @param {{ columns: readonly Column[] }} props
 */
export function Plots({ columns }) {
  const data = useMemo(() => new Map(columns.map(({ field, values }) => [field, values])), [columns]);
  const times = useMemo(() => (data.get('at') ?? []).map((at) => at ?? 0), [data]);
  return html`
    <section aria-labelledby="plots">
      <h2 id="plots">The last hour</h2>
      <div class="plots">
        ${PLOTS.map((plotted) => html`<${Plot} key=${plotted.title} plotted=${plotted} times=${times} data=${data} />`)}
      </div>
      <p><small>Times are those of the messages of the minute before: half of them (p50), or all but a twentieth (p95), took no longer.</small></p>
    </section>
  `;
}

/** @param {{ plotted: Plotted, times: number[], data: ReadonlyMap<keyof Sample, Column['values']> }} props */
function Plot({ plotted, times, data }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | undefined} */ (undefined));
  const valuesOf = (/** @type {keyof Sample} */ field) => data.get(field) ?? [];
  /** @type {uPlot.AlignedData} */
  const aligned = useMemo(() => [times, ...plotted.lines.map(({ field }) => [...valuesOf(field)])], [data]);
  const newest = useRef(aligned);
  newest.current = aligned;

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(plotted, element.clientWidth), newest.current, element);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    // A canvas takes its colours when it is drawn.
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      scheme.removeEventListener('change', draw);
      resized.disconnect();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(aligned), [aligned]);

  return html`
    <figure class="plot">
      <figcaption>
        <strong>${plotted.title}</strong>
        ${plotted.lines.map(
          ({ field, name }, index) =>
            html`<span key=${field}><i class="line-${index}" aria-hidden="true"></i> ${name} ${plotted.format(valuesOf(field).at(-1))}</span>`,
        )}
      </figcaption>
      <div ref=${place} class="canvas" aria-hidden="true"></div>
    </figure>
  `;
}

/**
 * @param {Plotted} plotted
 * @param {number} width
 * @returns {uPlot.Options}
 */
function optionsOf({ lines, format, least, steps }, width) {
  const style = getComputedStyle(document.documentElement);
  const [muted, grid] = [style.getPropertyValue('--muted'), style.getPropertyValue('--border')];
  const axis = { stroke: muted, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: (_, from, to) => [Math.max(to - HOUR_SECONDS, Math.min(from, to - LEAST_SECONDS)), to] },
      y: { range: (_, __, to) => [0, Math.max(to ?? 0, least) * 1.1] },
    },
    axes: [
      { ...axis, size: 30, space: 90, values: (_, values) => values.map(clock) },
      {
        ...axis,
        ...(steps && { incrs: steps }),
        // Room for the longest text, at 7 px a character.
        size: (_, texts) => Math.max(62, ...(texts ?? []).map((text) => 14 + 7 * text.length)),
        values: (_, values) => values.map((value) => format(value)),
      },
    ],
    series: [
      {},
      ...lines.map((_, index) => ({
        stroke: style.getPropertyValue(`--line-${index}`),
        width: 1.5,
        points: { show: false },
      })),
    ],
  };
}
