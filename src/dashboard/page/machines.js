import { count } from './format.js';
import { html } from './html.js';

/** @import { Chart, ChartEdge, ChartState, States } from '../frame.ts' */

const TITLES = new Map([
  ['user', 'Users'],
  ['supervisor', 'Brokers'],
  ['delivery', 'Callbacks being made'],
]);
const NOTES = new Map([
  ['user', 'One actor for each user with work, and for up to two seconds after it, at all brokers'],
  ['supervisor', 'One supervisor in each'],
  ['delivery', 'One actor for each user and URL with a callback due, at all brokers'],
]);

/**
 * The machines with how many actors are in each state. Where there is no room for a drawing, and for who cannot see it,
 * the states are a list.
 * @param {{ charts: readonly Chart[], states: Readonly<Record<string, States>> }} props
 */
export function Machines({ charts, states }) {
  return html`
    <section aria-labelledby="machines">
      <h2 id="machines">State machines</h2>
      <div class="machines">
        ${charts.map((chart) => html`<${Machine} key=${chart.name} chart=${chart} states=${states[chart.name] ?? {}} />`)}
      </div>
    </section>
  `;
}

/** @param {{ chart: Chart, states: States }} props */
function Machine({ chart, states }) {
  const { name, x, y, width, height } = chart;
  return html`
    <figure class="machine" data-machine=${name} style=${{ flexBasis: `${width}px` }}>
      <figcaption><strong>${TITLES.get(name) ?? name}</strong> <small>${NOTES.get(name) ?? ''}</small></figcaption>
      <svg viewBox="${x} ${y} ${width} ${height}" style=${{ maxWidth: `${width}px` }} aria-hidden="true">
        <defs>
          <marker id="arrow-${name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0 8 4 0 8z" />
          </marker>
        </defs>
        ${chart.states.filter(({ compound }) => compound).map((state) => html`<${State} key=${state.path} state=${state} inside=${inside(states, state.path)} />`)}
        ${chart.edges.map((edge) => html`<${Edge} key=${`${edge.from} ${edge.to}`} edge=${edge} arrow="arrow-${name}" />`)}
        ${chart.states.filter(({ compound }) => !compound).map((state) => html`<${State} key=${state.path} state=${state} inside=${inside(states, state.path)} />`)}
      </svg>
      <ul class="states">
        ${chart.states.map(
          ({ path }) =>
            html`<li key=${path}>${path}: <span data-state=${path}>${count(inside(states, path))}</span></li>`,
        )}
      </ul>
    </figure>
  `;
}

/** @param {{ state: ChartState, inside: number }} props */
function State({ state, inside: actors }) {
  const { name, compound, x, y, width, height } = state;
  const kind = `state${compound ? ' compound' : ''}${actors ? ' busy' : ''}`;
  return html`
    <g class=${kind}>
      <rect x=${x} y=${y} width=${width} height=${height} rx="6" />
      <text class="name" x=${compound ? x + 8 : x + width / 2} y=${y + 16} text-anchor=${compound ? 'start' : 'middle'}>
        ${name}
      </text>
      <g key=${actors} class="actors">
        <text
          x=${compound ? x + width - 8 : x + width / 2}
          y=${compound ? y + 16 : y + 36}
          text-anchor=${compound ? 'end' : 'middle'}
        >
          ${count(actors)}
        </text>
      </g>
    </g>
  `;
}

/** @param {{ edge: ChartEdge, arrow: string }} props */
function Edge({ edge, arrow }) {
  const [first, ...rest] = edge.points.map(({ x, y }) => `${x} ${y}`);
  return html`
    <path class="edge" d="M${first} L${rest.join(' ')}" marker-end="url(#${arrow})">
      <title>${edge.labels.join(', ')}</title>
    </path>
  `;
}

/**
 * How many actors are in a state, or in one that is in it.
 * @param {States} states
 * @param {string} path
 */
function inside(states, path) {
  const all = Object.entries(states).filter(([state]) => state === path || state.startsWith(`${path}.`));
  return all.reduce((sum, [, actors]) => sum + actors, 0);
}
