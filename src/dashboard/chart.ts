import { Graph, layout } from '@dagrejs/dagre';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { deliveryMachine } from '../../machines/delivery.ts';
import { userMachine } from '../../machines/user.ts';
import { childrenOf, type Edge, edgesOf, nodesOf } from './definition.ts';
import type { Chart, ChartState } from './frame.ts';

const STATE = { width: 118, height: 44 };

type Point = { readonly x: number; readonly y: number };

/** The machines whose actors are counted, as they are drawn. */
export function charts(): readonly Chart[] {
  return [chartOf('user', userMachine), chartOf('delivery', deliveryMachine)];
}

/** A machine laid out from top to bottom: its states, and one line for each pair of them that something leads between. */
export function chartOf(name: string, machine: AnyStateMachine): Chart {
  const graph = new Graph({ compound: true, multigraph: true });
  graph.setGraph({ rankdir: 'TB', nodesep: 20, ranksep: 26, edgesep: 10, marginx: 8, marginy: 8 });
  const nodes = nodesOf(machine.root).slice(1);
  for (const node of nodes) {
    graph.setNode(node.id, isCompound(node) ? {} : { ...STATE });
    if (node.parent && node.parent !== machine.root) graph.setParent(node.id, node.parent.id);
  }
  // What leads out of any state whatever would be a line from everywhere.
  const edges = edgesOf(machine).filter(({ from }) => from !== machine.root);
  for (const { from, to } of edges) {
    // Lines cannot end at a state that has others in it: laid out to the first of those, they are cut off at its border.
    graph.setEdge(leafOf(from).id, leafOf(to).id, {}, nameOf({ from, to }));
  }
  layout(graph);
  const states = nodes.map((node): ChartState => {
    const { x, y, width, height } = boxOf(graph.node(node.id));
    const compound = isCompound(node);
    return { path: node.path.join('.'), name: node.key, compound, x: x - width / 2, y: y - height / 2, width, height };
  });
  const boxes = new Map(states.map((state) => [state.path, state]));
  const { width = 0, height = 0 } = graph.graph();
  return {
    name,
    width: Math.ceil(width),
    height: Math.ceil(height),
    states,
    edges: edges.map(({ from, to, labels }) => {
      const { points = [] } = graph.edge(leafOf(from).id, leafOf(to).id, nameOf({ from, to }));
      const outside = isCompound(from) && !within(to, from) ? cutOff(points, boxes.get(from.path.join('.'))) : points;
      const line =
        isCompound(to) && !within(from, to)
          ? cutOff(outside.toReversed(), boxes.get(to.path.join('.'))).toReversed()
          : outside;
      return { from: from.path.join('.'), to: to.path.join('.'), labels, points: line.map(rounded) };
    }),
  };
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

function boxOf(label: { x?: number; y?: number; width?: number; height?: number }) {
  const { x = 0, y = 0, width = 0, height = 0 } = label;
  return { x: Math.round(x), y: Math.round(y), width: Math.round(width), height: Math.round(height) };
}

function rounded({ x, y }: Point): Point {
  return { x: Math.round(x), y: Math.round(y) };
}
