/** What is used of dagre: its own types cannot be resolved by a program of ES modules. */
declare module '@dagrejs/dagre' {
  type Size = { width?: number; height?: number };
  type Point = { x: number; y: number };

  export class Graph {
    constructor(options: { compound: boolean; multigraph: boolean });
    setGraph(label: Readonly<Record<string, string | number>>): void;
    /** Its size once it is laid out. */
    graph(): Size;
    setNode(id: string, label: Size): void;
    setParent(id: string, parent: string): void;
    /** Its middle and its size once it is laid out. */
    node(id: string): Partial<Point> & Size;
    setEdge(from: string, to: string, label: object, name: string): void;
    edge(from: string, to: string, name: string): { points?: readonly Point[] };
  }

  export function layout(graph: Graph): void;
}
