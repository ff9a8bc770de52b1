// The accurate singular value decomposition: one-sided Jacobi rotations (Hestenes, J. SIAM 6, 1958) on the triangle of a pivoted QR
// decomposition (Drmac & Veselic, SIAM J. Matrix Anal. Appl. 29, 2008). Slow, and right to the last digits of small values too.
import { invariant } from '../base/errors.js';
import { multiplyTransposed } from './gemm.js';
import { matrix, transpose, type Matrix } from './matrix.js';
import { pivotedQr } from './qr.js';
import type { Svd, SvdOptions } from './svd.js';

/** Rounds over all pairs; six to ten are usual. */
const MOST_ROUNDS = 60;

/**
 * The singular value decomposition, as accurate as the elements allow: an error of some rounding errors of the largest value, and where only
 * the scale of the columns of the longer side makes values small, of each value itself. Vectors are orthonormal to rounding error. Values of
 * exactly 0 are left out. Time grows with the cube of the shorter side (256: some 1 s). Undefined where an element is not finite.
 * @throws InternalError invariant where the rank is not a positive integer
 */
export function jacobiSvd(a: Matrix, { rank = Infinity }: SvdOptions = {}): Svd | undefined {
  invariant(rank >= 1 && (rank === Infinity || Number.isInteger(rank)), `${rank} is no rank`);
  if (a.rows < a.columns) {
    const svd = jacobiSvd(transpose(a), { rank });
    return svd && { u: transpose(svd.vt), values: svd.values, vt: transpose(svd.u) };
  }
  const scale = a.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (!Number.isFinite(scale)) return undefined;
  const { q, r, order } = pivotedQr({ ...a, data: a.data.map((x) => x / (scale || 1)) });
  const turns = orthogonalizeRows(r);
  const n = r.columns;
  const lengths = Array.from({ length: n }, (_, i) => Math.sqrt(dot(r.data, i * n, i * n, n)));
  const kept = Array.from(lengths.keys())
    .filter((i) => (lengths[i] ?? 0) > 0)
    .toSorted((i, j) => (lengths[j] ?? 0) - (lengths[i] ?? 0))
    .slice(0, rank);
  const vt = matrix(kept.length, n);
  const used = matrix(kept.length, n);
  for (const [to, from] of kept.entries()) {
    for (let j = 0; j < n; j++) vt.data[to * n + (order[j] ?? 0)] = (r.data[from * n + j] ?? 0) / (lengths[from] ?? 1);
    used.data.set(turns.data.subarray(from * n, (from + 1) * n), to * n);
  }
  return { u: multiplyTransposed(q, used), values: Float64Array.from(kept, (i) => (lengths[i] ?? 0) * scale), vt };
}

/** Rotates pairs of rows until all are orthogonal, in place; returns the product of the rotations. */
function orthogonalizeRows(rows: Matrix): Matrix {
  const n = rows.columns;
  const count = rows.rows;
  const turns = matrix(count, count);
  for (let i = 0; i < count; i++) turns.data[i * count + i] = 1;
  const tolerance = Number.EPSILON * Math.sqrt(n);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let isDone = true;
    for (let i = 0; i + 1 < count; i++) {
      for (let j = i + 1; j < count; j++) {
        const [x, y] = [i * n, j * n];
        const product = dot(rows.data, x, y, n);
        const [first, second] = [dot(rows.data, x, x, n), dot(rows.data, y, y, n)];
        if (!(Math.abs(product) > tolerance * Math.sqrt(first) * Math.sqrt(second))) continue;
        isDone = false;
        const half = (second - first) / (2 * product);
        const tangent = (half < 0 ? -1 : 1) / (Math.abs(half) + Math.sqrt(1 + half * half));
        rotate(rows.data, [x, y], tangent, n);
        rotate(turns.data, [i * count, j * count], tangent, count);
      }
    }
    if (isDone) return turns;
  }
  return turns;
}

function dot(data: Float64Array, x: number, y: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += (data[x + i] as number) * (data[y + i] as number);
  return sum;
}

function rotate(data: Float64Array, [x, y]: readonly [number, number], tangent: number, count: number): void {
  const c = 1 / Math.sqrt(1 + tangent * tangent);
  const s = c * tangent;
  for (let i = 0; i < count; i++) {
    const [a, b] = [data[x + i] as number, data[y + i] as number];
    data[x + i] = c * a - s * b;
    data[y + i] = s * a + c * b;
  }
}
