// Which rows of a matrix are alike: merged two by two at the least growth of the squared distance to the centroids (Ward 1963;
// d(AB, C) = ((a + c) d(A, C) + (b + c) d(B, C) - c d(A, B)) / (a + b + c)), and k-means (Lloyd) from where that stops.
import { invariant } from '../base/errors.js';
import { multiplyTransposed } from '../linalg/gemm.js';
import { matrix, type Matrix } from '../linalg/matrix.js';

export interface Merge {
  /** Index of the row that stands for the merged rows, and of the one that no longer stands for its own. */
  readonly kept: number;
  readonly gone: number;
  /** By how much the sum of squared distances to the centroids grows. */
  readonly cost: number;
}

export interface Clusters {
  /** Rows of each cluster, ascending; clusters in the order of their first row. */
  readonly members: readonly (readonly number[])[];
  /** One row per cluster. */
  readonly centroids: Matrix;
  /** Sum of squared distances to the centroids. */
  readonly error: number;
}

const MOST_ROUNDS = 100;

/** Squared distances between rows. */
export function squaredDistances(rows: Matrix): Matrix {
  const products = multiplyTransposed(rows, rows);
  const size = rows.rows;
  const squares = Float64Array.from({ length: size }, (_, i) => products.data[i * size + i] ?? 0);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const distance = (squares[i] ?? 0) + (squares[j] ?? 0) - 2 * (products.data[i * size + j] ?? 0);
      products.data[i * size + j] = i === j ? 0 : Math.max(0, distance);
    }
  }
  return products;
}

/** Merges all rows into one, nearest first; of two clusters the row of the larger stands for both (of equals the first). */
export function mergeRows(rows: Matrix): Merge[] {
  const size = rows.rows;
  const { data } = squaredDistances(rows);
  for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) / 2;
  const counts = new Float64Array(size).fill(1);
  const stands = Int32Array.from({ length: size }, (_, i) => i);
  const left = new Set(stands);
  const nearest = new Int32Array(size).fill(-1);
  const findNearest = (i: number): void => {
    let best = -1;
    for (const j of left)
      if (j !== i && (best < 0 || (data[i * size + j] as number) < (data[i * size + best] as number))) best = j;
    nearest[i] = best;
  };
  for (const i of left) findNearest(i);
  const merges: Merge[] = [];
  while (left.size > 1) {
    const a = closest(left, nearest, matrix(size, size, data));
    const b = nearest[a] as number;
    const [into, from] = a < b ? [a, b] : [b, a];
    const cost = data[a * size + b] as number;
    const isFirst = (counts[into] as number) >= (counts[from] as number);
    const [kept, gone] = isFirst ? [into, from] : [from, into];
    merges.push({ kept: stands[kept] as number, gone: stands[gone] as number, cost });
    stands[into] = stands[kept] as number;
    left.delete(from);
    for (const c of left) {
      if (c === into) continue;
      const [ca, cb, cc] = [counts[into] as number, counts[from] as number, counts[c] as number];
      const sum = (ca + cc) * (data[into * size + c] as number) + (cb + cc) * (data[from * size + c] as number);
      const distance = (sum - cc * cost) / (ca + cb + cc);
      data[into * size + c] = distance;
      data[c * size + into] = distance;
    }
    counts[into] = (counts[into] as number) + (counts[from] as number);
    for (const c of left) if (c === into || nearest[c] === from || nearest[c] === into) findNearest(c);
  }
  return merges;
}

/** The row whose nearest other is nearest. */
function closest(left: ReadonlySet<number>, nearest: Int32Array, { rows: size, data }: Matrix): number {
  let best = -1;
  let least = Infinity;
  for (const i of left) {
    const distance = data[i * size + (nearest[i] as number)] as number;
    if (best < 0 || distance < least) [best, least] = [i, distance];
  }
  return best;
}

/** `count` clusters by k-means, started from the clusters that `merges` leave of the rows. */
export function clusterRows(rows: Matrix, merges: readonly Merge[], count: number): Clusters {
  invariant(count >= 1 && count <= rows.rows, `${rows.rows} rows in ${count} clusters`);
  const stands = Int32Array.from({ length: rows.rows }, (_, i) => i);
  for (const { kept, gone } of merges.slice(0, rows.rows - count))
    for (let i = 0; i < stands.length; i++) if (stands[i] === gone) stands[i] = kept;
  const numbers = new Map([...new Set(stands)].map((stand, at) => [stand, at]));
  let assigned: Int32Array = Int32Array.from(stands, (stand) => numbers.get(stand) ?? 0);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = nearestCentroids(rows, centroidsOf(rows, assigned, count));
    const isWhole = new Set(next).size === count;
    if (!isWhole || isSame(next, assigned)) break;
    assigned = next;
  }
  return clustersOf(rows, assigned, count);
}

const isSame = (a: Int32Array, b: Int32Array): boolean => a.every((x, i) => x === b[i]);

function centroidsOf({ rows, columns, data }: Matrix, assigned: Int32Array, count: number): Matrix {
  const centroids = matrix(count, columns);
  const sizes = new Float64Array(count);
  for (const cluster of assigned) sizes[cluster] = (sizes[cluster] as number) + 1;
  for (let i = 0; i < rows; i++) {
    const cluster = assigned[i] as number;
    for (let j = 0; j < columns; j++) {
      const at = cluster * columns + j;
      centroids.data[at] =
        (centroids.data[at] as number) + (data[i * columns + j] as number) / (sizes[cluster] as number);
    }
  }
  return centroids;
}

function nearestCentroids(rows: Matrix, centroids: Matrix): Int32Array {
  const products = multiplyTransposed(rows, centroids);
  const squares = Float64Array.from({ length: centroids.rows }, (_, c) => squaredLength(centroids, c));
  return Int32Array.from({ length: rows.rows }, (_, i) => {
    let best = 0;
    let least = Infinity;
    for (let c = 0; c < centroids.rows; c++) {
      const distance = (squares[c] as number) - 2 * (products.data[i * centroids.rows + c] as number);
      if (distance < least) [best, least] = [c, distance];
    }
    return best;
  });
}

const squaredLength = ({ columns, data }: Matrix, row: number): number =>
  data.subarray(row * columns, (row + 1) * columns).reduce((sum, x) => sum + x * x, 0);

function clustersOf(rows: Matrix, assigned: Int32Array, count: number): Clusters {
  const first = new Map([...new Set(assigned)].map((cluster, at) => [cluster, at]));
  const ordered = assigned.map((cluster) => first.get(cluster) ?? 0);
  const members = Array.from({ length: count }, (): number[] => []);
  ordered.forEach((cluster, i) => members[cluster]?.push(i));
  const centroids = centroidsOf(rows, ordered, count);
  let error = 0;
  for (let i = 0; i < rows.data.length; i++) {
    const row = Math.floor(i / rows.columns);
    const centre = centroids.data[(ordered[row] ?? 0) * rows.columns + (i % rows.columns)] ?? 0;
    error += ((rows.data[i] ?? 0) - centre) ** 2;
  }
  return { members, centroids, error };
}
