// The rows of one layer: patches go block by block to where products with them are made, what the layer should give there stays
// here. Where nothing but sums is asked for, each block is summed and forgotten.
import type { Hold, TallMatrix } from '../linalg/tall.js';
import { matrix, packedLength, packedRow, type Matrix } from '../linalg/matrix.js';
import { layerSizes, type LayerSizes, type LinearLayer } from './patch-geometry.js';
import type { PatchMoments, Window } from './patch-moments.js';
import { mergeMoments, type Moments } from './rank-update.js';

/** Patches of a layer and what it should give there. */
export interface LayerRows {
  readonly count: number;
  /** Per group, rows x (patch, 1). */
  readonly patches: readonly TallMatrix[];
  /** Rows x outputs of all groups. */
  readonly targets: Float32Array;
  /** As the targets: what comes to each output before the activation, the other side of a residual sum. Default: nothing. */
  readonly addends?: Float32Array | undefined;
}

/** One row: a position of a window, one number per output, and what is added to each. */
export interface GatheredRow {
  readonly window: Window;
  readonly sample: number;
  readonly position: number;
  readonly target: Float32Array;
  readonly addend?: Float32Array | undefined;
}

export interface GatherOptions {
  readonly layer: LinearLayer;
  readonly hold: Hold;
  /** `rows`: all are held on to. `sums`: only their moments are. */
  readonly keep: 'rows' | 'sums';
  /** Rows that are expected, or about. */
  readonly rows: number;
}

/** Numbers of all patches of a block: 8 MB. */
const BLOCK_NUMBERS = 2 ** 21;
const FEWEST_ROWS = 16;

export class GatheredRows {
  readonly #options: GatherOptions;
  readonly #sizes: LayerSizes;
  readonly #taps: Int32Array;
  /** Per group, the rows of the block that is being filled. */
  readonly #blocks: readonly Float32Array[];
  readonly #depth: number;
  #waiting = 0;
  #kept: readonly TallMatrix[];
  #sums: readonly Moments[] | undefined;
  readonly #targets = new FloatList();
  readonly #addends = new FloatList();

  constructor(options: GatherOptions) {
    const { layer, rows, keep } = options;
    this.#sizes = layerSizes(layer);
    const { groups, taps, patch } = this.#sizes;
    const most = Math.max(FEWEST_ROWS, Math.floor(BLOCK_NUMBERS / (groups * (patch + 1))));
    this.#options = options;
    this.#depth = Math.max(1, Math.min(most, Math.ceil(rows)));
    this.#taps = new Int32Array(taps);
    this.#blocks = Array.from({ length: groups }, () => new Float32Array(this.#depth * (patch + 1)));
    this.#kept = keep === 'rows' ? this.#newHeld(rows) : [];
  }

  /** Resolves when there is room for the next row. */
  add({ window, sample, position, target, addend }: GatheredRow): Promise<void> | undefined {
    const { groups, inputs, patch } = this.#sizes;
    const taps = this.#taps;
    window.seek(position, taps);
    for (let group = 0; group < groups; group++) {
      const block = this.#blocks[group] as Float32Array;
      let to = this.#waiting * (patch + 1);
      let base = sample * window.batch + group * inputs * window.channel;
      for (let channel = 0; channel < inputs; channel++, base += window.channel) {
        for (const tap of taps) block[to++] = tap < 0 ? 0 : (window.data[base + tap] as number);
      }
      block[to] = 1;
    }
    this.#targets.append(target);
    // Sums ask for the targets alone.
    if (addend && this.#options.keep === 'rows') this.#addends.append(addend);
    this.#waiting++;
    return this.#waiting === this.#depth ? this.#flush() : undefined;
  }

  /** What was kept. Only with `keep: 'rows'`. */
  async rows(): Promise<LayerRows> {
    await this.#flush();
    const { outputs } = this.#options.layer;
    const addends = this.#addends.length > 0 ? this.#addends.numbers() : undefined;
    const targets = this.#targets.numbers();
    return { count: targets.length / outputs, patches: this.#kept, targets, addends };
  }

  /** The sums over all rows, one entry per group. */
  async moments(): Promise<PatchMoments> {
    await this.#flush();
    if (this.#options.keep === 'rows') return momentsOfRows(this.#options.layer, await this.rows());
    const { outputs, patch } = this.#sizes;
    return { parts: this.#sums ?? this.#blocks.map(() => emptyMoments(patch + 1, outputs)) };
  }

  /** Gives back the memory of what was kept. */
  async release(): Promise<void> {
    for (const held of this.#kept) await held.release();
    this.#kept = [];
  }

  #newHeld(rows: number): TallMatrix[] {
    const { groups, patch } = this.#sizes;
    return Array.from({ length: groups }, () => this.#options.hold(patch + 1, rows));
  }

  async #flush(): Promise<void> {
    const count = this.#waiting;
    if (count === 0) return;
    this.#waiting = 0;
    const { keep, layer } = this.#options;
    const held = keep === 'rows' ? this.#kept : this.#newHeld(count);
    for (const [group, own] of held.entries())
      await own.append((this.#blocks[group] as Float32Array).subarray(0, count * own.columns));
    if (keep === 'rows') return;
    const rows = { count, patches: held, targets: this.#targets.numbers() };
    this.#targets.clear();
    const { parts } = await momentsOfRows(layer, rows);
    this.#sums = this.#sums?.map((sum, group) => mergeMoments(sum, parts[group] ?? sum)) ?? parts;
    for (const own of held) await own.release();
  }
}

/** The sums over rows, one entry per group. */
export async function momentsOfRows(layer: LinearLayer, rows: LayerRows): Promise<PatchMoments> {
  const parts: Moments[] = [];
  for (const [group, patches] of rows.patches.entries()) {
    const targets = targetMatrix(layer, rows, group);
    const gram = packedTriangle(await patches.gram());
    parts.push(momentsWith(gram, await patches.across(targets), targets));
  }
  return { parts };
}

/** From x^T x (its packed upper triangle), x^T y and y. */
export function momentsWith(gram: Float64Array, cross: Matrix, targets: Matrix): Moments {
  const energy = new Float64Array(targets.columns);
  for (let at = 0; at < targets.data.length; at++) {
    const y = targets.data[at] as number;
    energy[at % targets.columns] = (energy[at % targets.columns] as number) + y * y;
  }
  const { rows: columns, columns: outputs } = cross;
  return { columns, outputs, rows: targets.rows, gram, cross: cross.data, energy };
}

/** Rows x outputs of one group. */
export function targetMatrix(layer: LinearLayer, { count, targets }: LayerRows, group: number): Matrix {
  const { groups, outputs } = layerSizes(layer);
  const own = matrix(count, outputs);
  const all = groups * outputs;
  for (let row = 0; row < count; row++)
    own.data.set(targets.subarray(row * all + group * outputs, row * all + (group + 1) * outputs), row * outputs);
  return own;
}

/** The upper triangle of a symmetric matrix. */
export function packedTriangle({ rows: n, data }: Matrix): Float64Array {
  const result = new Float64Array(packedLength(n));
  for (let i = 0; i < n; i++) result.set(data.subarray(i * n + i, (i + 1) * n), packedRow(n, i) + i);
  return result;
}

const emptyMoments = (columns: number, outputs: number): Moments => ({
  columns,
  outputs,
  rows: 0,
  gram: new Float64Array(packedLength(columns)),
  cross: new Float64Array(columns * outputs),
  energy: new Float64Array(outputs),
});

/** Numbers that come row by row. */
class FloatList {
  #data = new Float32Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(numbers: Float32Array): void {
    const needed = this.#length + numbers.length;
    if (needed > this.#data.length) {
      const larger = new Float32Array(Math.max(needed, 2 * this.#data.length));
      larger.set(this.#data.subarray(0, this.#length));
      this.#data = larger;
    }
    this.#data.set(numbers, this.#length);
    this.#length = needed;
  }

  clear(): void {
    this.#length = 0;
  }

  numbers(): Float32Array {
    return this.#data.subarray(0, this.#length);
  }
}
