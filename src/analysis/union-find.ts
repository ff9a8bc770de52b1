// Disjoint sets of numbers, with path halving: nearly constant time per call.

export class UnionFind {
  readonly #parents: Int32Array;

  /** The numbers from 0 to `count` - 1, each alone. */
  constructor(count: number) {
    this.#parents = Int32Array.from({ length: count }, (_, index) => index);
  }

  /** The number that stands for the set of `id`: the least of them. */
  find(id: number): number {
    const parents = this.#parents;
    let at = id;
    for (let parent = parents[at] ?? at; parent !== at; parent = parents[at] ?? at) {
      parents[at] = parents[parent] ?? parent;
      at = parents[at] ?? at;
    }
    return at;
  }

  join(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x < y) this.#parents[y] = x;
    else this.#parents[x] = y;
  }
}
