// Which inputs and which outputs of a layer share a group, so that little of its weights lies between groups: balanced clustering of both
// sides of |W|^2 in turn, from several starts, as channels of one side are best sorted when those of the other are. (ShuffleNet, Zhang et
// al. 2018, takes the groups as they come and lets training do the rest.)
import { createRng, type Rng } from '../../base/rng.js';
import type { Matrix } from '../../linalg/matrix.js';

/** Places of one side by what may change places with each other. A place that stands alone keeps its channel. */
export type Exchanges = readonly (readonly number[])[];

export interface AssignmentRequest {
  /** Squared weights, outputs x inputs. */
  readonly energy: Matrix;
  /** Group k has the k-th part of the inputs and of the outputs; it divides both. */
  readonly groups: number;
  readonly inputs: Exchanges;
  readonly outputs: Exchanges;
  readonly seed?: number | string;
}

/** For each place the channel that goes there; of equals the first comes first. */
export interface Assignment {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** The part of the energy that lies within groups. */
  readonly share: number;
}

/** Starts besides the order as it is; every other one is random. */
const STARTS = 20;
const MOST_ROUNDS = 60;
/** Gains below this part of all energy are none. */
const LEAST_GAIN = 1e-12;

/** The best of some local optima; the same for the same request. */
export function assignGroups(request: AssignmentRequest): Assignment {
  const { inputs, outputs, seed = 0 } = request;
  const search = new Search(request);
  let best = search.settle(search.start());
  // Where one side is as it is, the other is sorted once and for all.
  const isOpen = [inputs, outputs].every((side) => side.some(({ length }) => length > 1));
  for (let start = 0; start < (isOpen ? STARTS : 0); start++) {
    const rng = createRng(`${seed}/${start}`);
    const found = search.settle(start % 2 === 0 ? search.seeded(rng) : search.shuffled(rng));
    if (found.within > best.within * (1 + LEAST_GAIN)) best = found;
  }
  return {
    inputs: orderOf(inputs, best.inputs),
    outputs: orderOf(outputs, best.outputs),
    share: search.total > 0 ? best.within / search.total : 1,
  };
}

/** The group of each channel. */
interface Sides {
  readonly inputs: Int32Array;
  readonly outputs: Int32Array;
}

class Search {
  readonly total: number;
  readonly #energy: Matrix;
  readonly #groups: number;
  readonly #request: AssignmentRequest;

  constructor(request: AssignmentRequest) {
    this.#request = request;
    this.#energy = request.energy;
    this.#groups = request.groups;
    this.total = request.energy.data.reduce((sum, e) => sum + e, 0);
  }

  /** As the channels stand. */
  start(): Sides {
    const blocks = (size: number): Int32Array =>
      Int32Array.from({ length: size }, (_, i) => Math.floor((i * this.#groups) / size));
    return { inputs: blocks(this.#energy.columns), outputs: blocks(this.#energy.rows) };
  }

  shuffled(rng: Rng): Sides {
    const sides = this.start();
    for (const places of this.#request.inputs)
      for (let i = places.length - 1; i > 0; i--) swap(sides.inputs, places[i] ?? 0, places[rng.int(0, i)] ?? 0);
    return sides;
  }

  /** One output for each group, each as unlike those before it as there is; inputs go where they weigh most. */
  seeded(rng: Rng): Sides {
    const { rows, columns, data } = this.#energy;
    const sides = this.start();
    const gains = new Float64Array(columns * this.#groups);
    const likeness = new Float64Array(rows);
    let row = rng.int(0, rows - 1);
    for (let group = 0; group < this.#groups; group++) {
      const own = data.subarray(row * columns, (row + 1) * columns);
      for (let i = 0; i < columns; i++) gains[i * this.#groups + group] = own[i] ?? 0;
      for (let o = 0; o < rows; o++)
        likeness[o] = Math.max(likeness[o] ?? 0, cosine(own, data.subarray(o * columns, (o + 1) * columns)));
      row = likeness.reduce((least, value, o) => (value < (likeness[least] ?? 0) ? o : least), 0);
    }
    this.#sort(sides.inputs, gains, this.#request.inputs);
    return sides;
  }

  /** Sorts one side after the other until nothing moves. */
  settle(sides: Sides): Sides & { readonly within: number } {
    const { inputs, outputs } = this.#request;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const moved = this.#sort(sides.outputs, this.#gains(sides, 'outputs'), outputs);
      if (!this.#sort(sides.inputs, this.#gains(sides, 'inputs'), inputs) && !moved) break;
    }
    const gains = this.#gains(sides, 'outputs');
    const within = sides.outputs.reduce((sum, group, o) => sum + (gains[o * this.#groups + group] ?? 0), 0);
    return { ...sides, within };
  }

  /** The energy that each channel of a side has with each group of the other side: channels x groups. */
  #gains({ inputs, outputs }: Sides, side: keyof Sides): Float64Array {
    const { rows, columns, data } = this.#energy;
    const groups = this.#groups;
    const gains = new Float64Array((side === 'outputs' ? rows : columns) * groups);
    for (let o = 0; o < rows; o++) {
      for (let i = 0; i < columns; i++) {
        const at = side === 'outputs' ? o * groups + (inputs[i] ?? 0) : i * groups + (outputs[o] ?? 0);
        gains[at] = (gains[at] ?? 0) + (data[o * columns + i] ?? 0);
      }
    }
    return gains;
  }

  /** Two channels of two groups change places as long as that gains: groups keep their sizes. Whether anything moved. */
  #sort(of: Int32Array, gains: Float64Array, exchanges: Exchanges): boolean {
    let moved = false;
    for (const places of exchanges) {
      let again = places.length > 1;
      while (again) {
        again = false;
        for (let a = 0; a < this.#groups; a++)
          for (let b = a + 1; b < this.#groups; b++) again = this.#trade(of, gains, places, [a, b]) || again;
        moved ||= again;
      }
    }
    return moved;
  }

  #trade(of: Int32Array, gains: Float64Array, places: readonly number[], [a, b]: readonly [number, number]): boolean {
    const gainOf = (channel: number, to: number, from: number): number =>
      (gains[channel * this.#groups + to] ?? 0) - (gains[channel * this.#groups + from] ?? 0);
    const leaving = (from: number, to: number): { readonly channel: number; readonly gain: number }[] =>
      places
        .filter((channel) => of[channel] === from)
        .map((channel) => ({ channel, gain: gainOf(channel, to, from) }))
        .sort((x, y) => y.gain - x.gain || x.channel - y.channel);
    const [ahead, back] = [leaving(a, b), leaving(b, a)];
    let traded = false;
    for (const [i, one] of ahead.entries()) {
      const other = back[i];
      if (!other || one.gain + other.gain <= LEAST_GAIN * this.total) break;
      swap(of, one.channel, other.channel);
      traded = true;
    }
    return traded;
  }
}

function swap(of: Int32Array, i: number, j: number): void {
  [of[i], of[j]] = [of[j] ?? 0, of[i] ?? 0];
}

function cosine(a: Float64Array, b: Float64Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] ?? 0, b[i] ?? 0];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

/** Places are handed out in the order of the groups. */
function orderOf(exchanges: Exchanges, of: Int32Array): number[] {
  const order = Array.from(of, (_, channel) => channel);
  for (const places of exchanges) {
    const ascending = [...places].sort((x, y) => x - y);
    const sorted = [...ascending].sort((x, y) => (of[x] ?? 0) - (of[y] ?? 0) || x - y);
    for (const [at, place] of ascending.entries()) order[place] = sorted[at] ?? place;
  }
  return order;
}
