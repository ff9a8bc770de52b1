// Single indices along axes, tied by union: only of axes that some layer makes or sums over, so that spatial axes cost nothing.
import type { Node } from '../ir/node.js';
import type { AxisGraph, TiedAxes } from './channel-axes.js';
import type { Freeze, FreezeCode } from './channel-group.js';
import { UnionFind } from './union-find.js';

/** Indices are numbered axis by axis, in the order of the axes. */
export interface TiedIndices {
  /** The number of index 0 along each axis; -1: the axis has no units. */
  readonly starts: Int32Array;
  readonly count: number;
  readonly unions: UnionFind;
  /** By the number that stands for a set: the place in `freezes` of the first that freezes it, or -1. */
  readonly frozen: Int32Array;
  readonly freezes: readonly Freeze[];
}

/** `roles`: axes that a layer makes or sums over. */
export function tiedIndices(graph: AxisGraph, roles: Iterable<number>): TiedIndices {
  const binder = new Binder(graph, roles);
  for (const [node, ties] of graph.ties) for (const tied of ties) binder.tie(node, tied);
  return binder.result();
}

class Binder {
  readonly #graph: AxisGraph;
  readonly #starts: Int32Array;
  readonly #count: number;
  readonly #unions: UnionFind;
  readonly #frozen: Int32Array;
  readonly #freezes: Freeze[];

  constructor(graph: AxisGraph, roles: Iterable<number>) {
    const { axes, sets, frozen } = graph;
    const concerned = new Set([...roles].map((axis) => sets.find(axis)));
    let count = 0;
    this.#graph = graph;
    this.#starts = Int32Array.from(axes, ({ size }, axis) => {
      if (size === undefined || size < 2 || !concerned.has(sets.find(axis))) return -1;
      count += size;
      return count - size;
    });
    this.#count = count;
    this.#unions = new UnionFind(count);
    this.#frozen = new Int32Array(count).fill(-1);
    this.#freezes = frozen.map(({ code, at }) => ({ code, at }));
    for (const [place, { axis, index }] of frozen.entries()) this.#mark(axis, index, place);
  }

  #mark(axis: number, index: number | undefined, place: number): void {
    const start = this.#starts[axis] ?? -1;
    const size = this.#graph.axes[axis]?.size ?? 0;
    if (start < 0) return;
    const from = start + (index ?? 0);
    const to = index === undefined ? start + size : Math.min(from + 1, start + size);
    for (let at = from; at < to; at++) if ((this.#frozen[at] ?? -1) < 0) this.#frozen[at] = place;
  }

  #freeze(axis: number, index: number | undefined, code: FreezeCode, at: string): void {
    this.#mark(axis, index, this.#freezes.push({ code, at }) - 1);
  }

  tie(node: Node, tied: TiedAxes): void {
    const { from, to, map } = tied;
    const [a, b] = [this.#graph.axes[from]?.size, this.#graph.axes[to]?.size];
    const [x, y] = [this.#starts[from] ?? -1, this.#starts[to] ?? -1];
    if (x < 0 && y < 0) return;
    if (a === undefined || b === undefined) {
      const unknown = this.#graph.axes[a === undefined ? from : to]?.value.name ?? node.label;
      this.#freeze(a === undefined ? to : from, undefined, 'unknown-shape', unknown);
    } else if (map !== undefined) this.#tieMapped(node, tied, a, b);
    else if (a === b) for (let index = 0; index < a; index++) this.#unions.join(x + index, y + index);
    // An axis of size 1 is broadcast; other sizes do not agree, and the model is not valid.
    else if (a !== 1 && b !== 1)
      for (const axis of [from, to]) this.#freeze(axis, undefined, 'opaque-operator', node.label);
  }

  /** Where one side has a single index, that cannot leave, and neither can what is tied to it. */
  #tieMapped(node: Node, { from, to, map }: TiedAxes, a: number, b: number): void {
    const [x, y] = [this.#starts[from] ?? -1, this.#starts[to] ?? -1];
    for (let index = 0; index < b; index++) {
      const source = map?.(index);
      if (source === undefined || !(source >= 0 && source < a)) continue;
      if (x >= 0 && y >= 0) this.#unions.join(x + source, y + index);
      else if (x >= 0) this.#freeze(from, source, 'fixed-index', node.label);
      else if (y >= 0) this.#freeze(to, index, 'fixed-index', node.label);
    }
  }

  /** Sets take the first freeze of their indices. */
  result(): TiedIndices {
    const frozen = this.#frozen;
    for (let index = 0; index < this.#count; index++) {
      const [root, own] = [this.#unions.find(index), frozen[index] ?? -1];
      const known = frozen[root] ?? -1;
      if (own >= 0 && (known < 0 || own < known)) frozen[root] = own;
    }
    return { starts: this.#starts, count: this.#count, unions: this.#unions, frozen, freezes: this.#freezes };
  }
}
