// Rank by empirical variational Bayes matrix factorization: the analytic solution of Nakajima, Sugiyama, Babacan & Tomioka (Global Analytic
// Solution of Fully-observed Variational Bayesian Matrix Factorization, JMLR 14, 2013). It takes noise for white: a start, not a verdict.

export interface BayesRank {
  readonly rank: number;
  /** Variance of the noise per element that explains the values left out. */
  readonly noise: number;
}

/** Part of the largest value that smaller ones count for: below it, singular values are rounding errors, and their logarithms mean nothing. */
const FLOOR = 1e-7;
/** Places, at equal ratios, where the noise is tried before the best of them is refined. */
const TRIALS = 400;
const REFINEMENTS = 60;

/**
 * How many singular values of a `rows` x `columns` matrix rise above white noise, and that noise. Values that are missing at the end count as
 * zero.
 */
export function evbmf(values: ArrayLike<number>, rows: number, columns: number): BayesRank {
  const [shorter, longer] = [Math.min(rows, columns), Math.max(rows, columns)];
  const sorted = Array.from(values)
    .toSorted((a, b) => b - a)
    .slice(0, shorter);
  const largest = sorted[0] ?? 0;
  if (!(largest > 0)) return { rank: 0, noise: 0 };
  // Relative to the largest, so that scale does not matter.
  const squares = Array.from({ length: shorter }, (_, i) => Math.max(FLOOR, (sorted[i] ?? 0) / largest) ** 2);
  const alpha = shorter / longer;
  const tau = 2.5129 * Math.sqrt(alpha);
  const bound = (1 + tau) * (1 + alpha / tau);
  const most = Math.min(Math.ceil(shorter / (1 + alpha)) - 1, shorter);
  const rest = squares.slice(most);
  const mean = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
  const low = Math.max((squares[most] ?? 0) / (longer * bound), mean(rest) / longer);
  const high = mean(squares) / longer;
  const energy = (variance: number): number => freeEnergy(squares, longer * variance, alpha, bound);
  const noise = minimumBetween(energy, low, high);
  return { rank: squares.filter((x) => x > longer * noise * bound).length, noise: noise * largest ** 2 };
}

/** The free energy of the model, up to a constant, at noise `unit` / longer side. */
function freeEnergy(squares: readonly number[], unit: number, alpha: number, bound: number): number {
  let sum = 0;
  for (const square of squares) {
    const x = square / unit;
    if (x <= bound) {
      sum += x - Math.log(x);
      continue;
    }
    const rest = x - 1 - alpha;
    const tau = (rest + Math.sqrt(rest * rest - 4 * alpha)) / 2;
    sum += x - tau + Math.log((tau + 1) / x) + alpha * Math.log(tau / alpha + 1);
  }
  return sum;
}

/** Where a function with some local minima is smallest: the best of many places, then golden sections around it. */
function minimumBetween(value: (x: number) => number, low: number, high: number): number {
  const step = Math.log(high / low) / TRIALS;
  if (!(step > 0)) return high;
  const at = (i: number): number => low * Math.exp(step * i);
  let best = 0;
  for (let i = 1; i <= TRIALS; i++) if (value(at(i)) < value(at(best))) best = i;
  let [left, right] = [at(Math.max(0, best - 1)), at(Math.min(TRIALS, best + 1))];
  const golden = (Math.sqrt(5) - 1) / 2;
  for (let i = 0; i < REFINEMENTS; i++) {
    const [a, b] = [right - golden * (right - left), left + golden * (right - left)];
    if (value(a) <= value(b)) right = b;
    else left = a;
  }
  return (left + right) / 2;
}
