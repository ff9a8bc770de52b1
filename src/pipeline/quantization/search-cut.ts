// The best assignment of nodes to two forms, where each node costs something in each form, and each pair of neighbours
// costs something where their forms differ: a minimum cut (Greig, Porteous & Seheult 1989). Exact, and nested: what makes
// the first form dearer only moves nodes to the second.

/** What one node costs in each form; not negative. */
export interface FormCosts {
  readonly first: number;
  readonly second: number;
}

/** Two nodes, by index, and the cost of their being of different forms. */
export interface CutEdge {
  readonly a: number;
  readonly b: number;
  readonly cost: number;
}

/** For every node whether it takes the second form; where both are equally good, the first. */
export function assignForms(costs: readonly FormCosts[], edges: readonly CutEdge[]): boolean[] {
  const network = new Network(costs.length + 2);
  const [source, sink] = [costs.length, costs.length + 1];
  // A node on the side of the sink takes the first form and pays for it.
  costs.forEach(({ first, second }, node) => {
    const shared = Math.min(first, second);
    network.connect(source, node, first - shared, 0);
    network.connect(node, sink, second - shared, 0);
  });
  for (const { a, b, cost } of edges) network.connect(a, b, cost, cost);
  network.saturate(source, sink);
  const isReached = network.reachedFrom(source);
  return costs.map((_, node) => isReached[node] === true);
}

/** Residual capacities of a flow network; augmented along shortest paths (Edmonds & Karp 1972). */
class Network {
  readonly #out: number[][];
  /** By arc; the arc back is its neighbour, `arc ^ 1`. */
  readonly #head: number[] = [];
  readonly #capacity: number[] = [];

  constructor(size: number) {
    this.#out = Array.from({ length: size }, () => []);
  }

  connect(from: number, to: number, forwards: number, backwards: number): void {
    if (forwards <= 0 && backwards <= 0) return;
    this.#out[from]?.push(this.#head.length);
    this.#out[to]?.push(this.#head.length + 1);
    this.#head.push(to, from);
    this.#capacity.push(forwards, backwards);
  }

  saturate(source: number, sink: number): void {
    for (let path = this.#shortest(source, sink); path; path = this.#shortest(source, sink)) {
      const amount = path.reduce((least, arc) => Math.min(least, this.#residual(arc)), Infinity);
      for (const arc of path) {
        this.#capacity[arc] = this.#residual(arc) - amount;
        this.#capacity[arc ^ 1] = this.#residual(arc ^ 1) + amount;
      }
    }
  }

  reachedFrom(source: number): boolean[] {
    const arcs = this.#search(source);
    return this.#out.map((_, node) => node === source || arcs[node] !== undefined);
  }

  #residual(arc: number): number {
    return this.#capacity[arc] ?? 0;
  }

  /** The arc over which each node is reached first. */
  #search(source: number): (number | undefined)[] {
    const reached: (number | undefined)[] = this.#out.map(() => undefined);
    const queue = [source];
    for (const node of queue) {
      for (const arc of this.#out[node] ?? []) {
        const next = this.#head[arc] ?? source;
        if (next === source || reached[next] !== undefined || this.#residual(arc) <= 0) continue;
        reached[next] = arc;
        queue.push(next);
      }
    }
    return reached;
  }

  #shortest(source: number, sink: number): number[] | undefined {
    const reached = this.#search(source);
    const path: number[] = [];
    for (let node = sink; node !== source;) {
      const arc = reached[node];
      if (arc === undefined) return undefined;
      path.push(arc);
      node = this.#head[arc ^ 1] ?? source;
    }
    return path;
  }
}
