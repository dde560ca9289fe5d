import { Graph, layout } from '@dagrejs/dagre';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { deliveryMachine } from '../../machines/delivery.ts';
import { supervisorMachine } from '../../machines/supervisor.ts';
import { userMachine } from '../../machines/user.ts';
import { childrenOf, type Edge, edgesOf, nodesOf } from './definition.ts';
import type { Chart, ChartEdge, ChartState } from './frame.ts';

const STATE = { width: 118, height: 44 };
/** Of a state that has others in it, above them. */
const TITLE_HEIGHT = 18;
const MARGIN = 6;
/** How far a line that leads back to its state goes out. */
const LOOP = 10;

type Point = { readonly x: number; readonly y: number };

/** The machines whose actors are counted, as they are drawn. */
export function charts(): readonly Chart[] {
  return [chartOf('user', userMachine), chartOf('supervisor', supervisorMachine), chartOf('delivery', deliveryMachine)];
}

/** A machine laid out from top to bottom: its states, and one line for each pair of them that something leads between. */
export function chartOf(name: string, machine: AnyStateMachine): Chart {
  const graph = new Graph({ compound: true, multigraph: true });
  graph.setGraph({ rankdir: 'TB', nodesep: 20, ranksep: 38, edgesep: 10 });
  const nodes = nodesOf(machine.root).slice(1);
  for (const node of nodes) {
    graph.setNode(node.id, isCompound(node) ? {} : { ...STATE });
    if (node.parent && node.parent !== machine.root) graph.setParent(node.id, node.parent.id);
  }
  // What leads out of any state whatever would be a line from everywhere.
  const edges = edgesOf(machine).filter(({ from }) => from !== machine.root);
  for (const { from, to } of edges) {
    // Lines cannot end at a state that has others in it: laid out to the first of those, they are cut off at its border.
    if (from !== to) graph.setEdge(leafOf(from).id, leafOf(to).id, {}, nameOf({ from, to }));
  }
  layout(graph);
  const states = nodes.map((node): ChartState => {
    const compound = isCompound(node);
    const { x, y, width, height } = boxOf(graph.node(node.id));
    const title = compound ? TITLE_HEIGHT : 0;
    return { path: pathOf(node), name: node.key, compound, x, y: y - title, width, height: height + title };
  });
  const boxes = new Map(states.map((state) => [state.path, state]));
  const lines = edges.map(({ from, to, labels }): ChartEdge => {
    const box = boxes.get(pathOf(from));
    if (from === to && box) return { from: pathOf(from), to: pathOf(to), labels, points: loopAt(box) };
    const { points = [] } = graph.edge(leafOf(from).id, leafOf(to).id, nameOf({ from, to }));
    const begun = isCompound(from) && !within(to, from) ? cutOff(points, box) : points;
    const ended =
      isCompound(to) && !within(from, to) ? cutOff(begun.toReversed(), boxes.get(pathOf(to))).toReversed() : begun;
    return { from: pathOf(from), to: pathOf(to), labels, points: ended.map(rounded) };
  });
  return { name, ...frameOf(states, lines), states, edges: lines };
}

/** What has to be seen for all of it to be: lines may go round the outermost states. */
function frameOf(states: readonly ChartState[], edges: readonly ChartEdge[]) {
  const points = [...states, ...edges.flatMap((edge) => edge.points)];
  const corners = states.map(({ x, y, width, height }) => ({ x: x + width, y: y + height }));
  const x = Math.min(...points.map((point) => point.x)) - MARGIN;
  const y = Math.min(...points.map((point) => point.y)) - MARGIN;
  const width = Math.max(...[...points, ...corners].map((point) => point.x)) + MARGIN - x;
  const height = Math.max(...[...points, ...corners].map((point) => point.y)) + MARGIN - y;
  return { x, y, width, height };
}

/** A line that leaves a state at its right side and comes back there. */
function loopAt({ x, y, width, height }: ChartState): readonly Point[] {
  const [right, upper, lower] = [x + width, y + height / 4, y + (height * 3) / 4];
  return [
    { x: right, y: upper },
    { x: right + LOOP, y: upper },
    { x: right + LOOP, y: lower },
    { x: right, y: lower },
  ].map(rounded);
}

function pathOf(node: AnyStateNode): string {
  return node.path.join('.');
}

function nameOf({ from, to }: Pick<Edge, 'from' | 'to'>): string {
  return `${from.id} ${to.id}`;
}

function isCompound(node: AnyStateNode): boolean {
  return childrenOf(node).length > 0;
}

/** The state itself, or the one in it that is entered first. */
function leafOf(node: AnyStateNode): AnyStateNode {
  const [initial] = isCompound(node) ? node.initial.target : [];
  return initial ? leafOf(initial) : node;
}

function within(node: AnyStateNode, ancestor: AnyStateNode): boolean {
  return node === ancestor || (node.parent !== undefined && within(node.parent, ancestor));
}

/** A line that begins in a box, from the border of the box on. */
function cutOff(points: readonly Point[], box: ChartState | undefined): readonly Point[] {
  const first = points.findIndex((point) => box && !isIn(point, box));
  const [inside, outside] = [points[first - 1], points[first]];
  if (!box || !inside || !outside) return points;
  return [crossing(inside, outside, box), ...points.slice(first)];
}

function isIn({ x, y }: Point, box: ChartState): boolean {
  return x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;
}

/** Where a line from a point in a box to one outside leaves the box. */
function crossing(inside: Point, outside: Point, box: ChartState): Point {
  const [dx, dy] = [outside.x - inside.x, outside.y - inside.y];
  const toX = dx > 0 ? box.x + box.width - inside.x : box.x - inside.x;
  const toY = dy > 0 ? box.y + box.height - inside.y : box.y - inside.y;
  const share = Math.min(dx ? toX / dx : Infinity, dy ? toY / dy : Infinity);
  return { x: inside.x + share * dx, y: inside.y + share * dy };
}

function boxOf({ x = 0, y = 0, width = 0, height = 0 }: { x?: number; y?: number; width?: number; height?: number }) {
  return {
    x: Math.round(x - width / 2),
    y: Math.round(y - height / 2),
    width: Math.round(width),
    height: Math.round(height),
  };
}

function rounded({ x, y }: Point): Point {
  return { x: Math.round(x), y: Math.round(y) };
}
