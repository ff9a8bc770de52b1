// The secular equation: the eigenvalues of D + rho z z^T, D diagonal, rho > 0, are the roots of f(x) = 1 + rho sum of z_i^2 / (d_i - x). One
// lies above every pole d_i and below the next. Roots by the middle way (Li, LAPACK Working Note 89, 1993), the weights that make them
// exact by Gu & Eisenstat (SIAM J. Matrix Anal. Appl. 15(4), 1994).

export interface SecularProblem {
  /** d: strictly ascending. */
  readonly poles: Float64Array;
  /** z: none of them zero. */
  readonly weights: Float64Array;
  /** Above zero. */
  readonly rho: number;
}

export interface SecularRoots {
  /** Ascending. */
  readonly roots: Float64Array;
  /** k x k, row-major: element (j, i) is d_i - root j, with a small relative error though the root itself may round to the pole. */
  readonly gaps: Float64Array;
  /** Weights for which the roots are exact: the vectors weights_i / gap_ji are orthogonal to rounding error. */
  readonly weights: Float64Array;
}

/** Steps after which a root is taken as it is; three to six are usual. */
const MOST_STEPS = 200;

/** All roots; time grows with the square of their number. */
export function solveSecular(problem: SecularProblem): SecularRoots {
  const { poles } = problem;
  const count = poles.length;
  const squares = problem.weights.map((z) => problem.rho * z * z);
  const gaps = new Float64Array(count * count);
  const roots = poles.map((_, j) => findRoot(poles, squares, j, gaps.subarray(j * count, (j + 1) * count)));
  return { roots, gaps, weights: exactWeights(problem, gaps) };
}

/** f and what the middle way needs of it at one place. */
interface Terms {
  /** f */
  value: number;
  /** Derivative of the terms of the poles up to the lower one, and of the others. */
  lower: number;
  upper: number;
  /** What the rounding error of f is relative to. */
  size: number;
}

/** Root j; leaves the distances of all poles from it in `gaps`. */
function findRoot(poles: Float64Array, squares: Float64Array, j: number, gaps: Float64Array): number {
  const last = poles.length - 1;
  if (last === 0) {
    gaps[0] = -(squares[0] ?? 0);
    return (poles[0] ?? 0) + (squares[0] ?? 0);
  }
  // The two poles that the model of f keeps: those around the root, or the last two.
  const below = Math.min(j, last - 1);
  const terms: Terms = { value: 0, lower: 0, upper: 0, size: 0 };
  const evaluate = (origin: number, offset: number): void => {
    for (let i = 0; i <= last; i++) gaps[i] = (poles[i] as number) - origin - offset;
    sumTerms(squares, gaps, below, terms);
  };
  const pole = poles[j] as number;
  const reach = j < last ? ((poles[j + 1] as number) - pole) / 2 : squares.reduce((sum, x) => sum + x, 0) / 2;
  evaluate(pole, reach);
  // Distances are taken from the nearer pole, for that from it can be far smaller than the pole itself.
  const isUpper = j < last && terms.value < 0;
  const origin = isUpper ? (poles[j + 1] as number) : pole;
  let [low, high] = isUpper ? [-reach, 0] : [0, j < last ? reach : 2 * reach];
  let offset = isUpper ? -reach : reach;
  if (isUpper) evaluate(origin, offset);
  for (let step = 0; step < MOST_STEPS; step++) {
    if (Math.abs(terms.value) <= 4 * Number.EPSILON * terms.size) break;
    if (terms.value < 0) low = offset;
    else high = offset;
    let next = offset + middleWay(terms, gaps[below] as number, gaps[below + 1] as number, j === last ? 1 : -1);
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (next === offset || next === low || next === high) break;
    offset = next;
    evaluate(origin, offset);
  }
  return origin + offset;
}

function sumTerms(squares: Float64Array, gaps: Float64Array, below: number, terms: Terms): void {
  let [value, size, lower, upper] = [0, 0, 0, 0];
  for (let i = 0; i <= below; i++) {
    const term = (squares[i] as number) / (gaps[i] as number);
    value += term;
    size += Math.abs(term);
    lower += term / (gaps[i] as number);
  }
  for (let i = below + 1; i < squares.length; i++) {
    const term = (squares[i] as number) / (gaps[i] as number);
    value += term;
    size += Math.abs(term);
    upper += term / (gaps[i] as number);
  }
  terms.value = 1 + value;
  terms.size = 1 + size;
  terms.lower = lower;
  terms.upper = upper;
}

/**
 * The step to the root of c + s / (p - x) + t / (q - x), which has the value of f and the derivatives of both its sums; p and q: distances of
 * the two poles. Of two roots the one between the poles (-1) or above them (1). NaN or infinite where there is none.
 */
function middleWay({ value, lower, upper }: Terms, p: number, q: number, side: -1 | 1): number {
  const c = value - p * lower - q * upper;
  const a = (p + q) * value - p * q * (lower + upper);
  const b = p * q * value;
  const root = side * Math.sqrt(Math.abs(a * a - 4 * b * c));
  return a * side >= 0 ? (a + root) / (2 * c) : (2 * b) / (a - root);
}

/** Weights of which the roots that were found are the exact ones, signs kept. */
function exactWeights({ poles, weights, rho }: SecularProblem, gaps: Float64Array): Float64Array {
  const count = poles.length;
  const squares = new Float64Array(count).fill(1 / rho);
  for (let j = 0; j < count; j++) {
    const row = j * count;
    if (j === count - 1) {
      for (let i = 0; i < count; i++) squares[i] = (squares[i] as number) * -(gaps[row + i] as number);
      break;
    }
    const [pole, next] = [poles[j] as number, poles[j + 1] as number];
    for (let i = 0; i < count; i++) {
      const distance = (poles[i] as number) - (i > j ? pole : next);
      squares[i] = (squares[i] as number) * ((gaps[row + i] as number) / distance);
    }
  }
  return squares.map((x, i) => Math.sqrt(Math.abs(x)) * Math.sign(weights[i] as number));
}
