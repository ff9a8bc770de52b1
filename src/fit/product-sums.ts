// Second moments of wide patches: rows wait until there are enough of them for products that are worth their way to whoever
// multiplies fastest.
import type { Gemm } from '../linalg/gemm.js';
import { matrix, packedLength, packedRow, transpose, type Matrix } from '../linalg/matrix.js';
import { layerSizes, type LinearLayer } from './patch-geometry.js';
import type { PatchMoments } from './patch-moments.js';
import type { Moments } from './rank-update.js';

export interface ProductSums {
  /** The patches of all groups at one position, and one number per output. Both must stay as they are until `settle`. */
  add(patch: Float32Array, target: Float32Array): void;
  /** Multiplies what waits, if that is enough; with `all`, whatever there is. */
  settle(gemm: Gemm, which: 'enough' | 'all'): Promise<void>;
  /** Of what was multiplied. One set of sums per group. */
  moments(): PatchMoments;
}

/** Rows that are multiplied at once: 16 MB of 1000 columns. */
const ENOUGH = 2048;

/** Sums that are zero. */
export function productSums(layer: LinearLayer): ProductSums {
  const { groups, outputs, patch } = layerSizes(layer);
  let waiting: { patch: Float32Array; target: Float32Array }[] = [];
  const sums = Array.from({ length: groups }, () => emptyMoments(patch + 1, outputs));
  return {
    add: (row, target) => void waiting.push({ patch: row, target }),
    settle: async (gemm, which) => {
      if (waiting.length === 0 || (which === 'enough' && waiting.length < ENOUGH)) return;
      const rows = waiting;
      waiting = [];
      for (const [group, sum] of sums.entries()) {
        const x = matrix(rows.length, patch + 1);
        const y = matrix(rows.length, outputs);
        for (const [at, row] of rows.entries()) {
          x.data.set(row.patch.subarray(group * patch, (group + 1) * patch), at * (patch + 1));
          x.data[at * (patch + 1) + patch] = 1;
          y.data.set(row.target.subarray(group * outputs, (group + 1) * outputs), at * outputs);
        }
        const across = transpose(x);
        sums[group] = added(sum, { gram: await gemm(across, x), cross: await gemm(across, y), y });
      }
    },
    moments: () => ({ parts: sums }),
  };
}

const emptyMoments = (columns: number, outputs: number): Moments => ({
  columns,
  outputs,
  rows: 0,
  gram: new Float64Array(packedLength(columns)),
  cross: new Float64Array(columns * outputs),
  energy: new Float64Array(outputs),
});

interface Products {
  readonly gram: Matrix;
  readonly cross: Matrix;
  readonly y: Matrix;
}

/** The arrays of `sum` are added to in place. */
function added(sum: Moments, { gram, cross, y }: Products): Moments {
  const { columns, outputs } = sum;
  for (let i = 0; i < columns; i++) {
    const row = packedRow(columns, i);
    for (let j = i; j < columns; j++)
      sum.gram[row + j] = (sum.gram[row + j] as number) + (gram.data[i * columns + j] as number);
  }
  for (let at = 0; at < sum.cross.length; at++) sum.cross[at] = (sum.cross[at] as number) + (cross.data[at] as number);
  for (let at = 0; at < y.data.length; at++) {
    const value = y.data[at] as number;
    sum.energy[at % outputs] = (sum.energy[at % outputs] as number) + value * value;
  }
  return { ...sum, rows: sum.rows + y.rows };
}
