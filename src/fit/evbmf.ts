// How many singular values of a noisy matrix are more than noise: empirical variational Bayesian matrix factorization, by the
// global analytic solution (Nakajima et al., JMLR 14, 2013). With L <= M sides, alpha = L / M, tau = 2.5129 sqrt(alpha) and
// x_u = (1 + tau)(1 + alpha / tau), values above sqrt(M v x_u) stay, where v is the noise that makes the free energy least.

const TAU = 2.5129;
const STEPS = 200;

/**
 * The number of values that are signal. `singular`: all singular values of a rows x columns matrix, from the largest. White noise is
 * assumed, so this is a start and no more.
 */
export function evbmfRank(singular: ArrayLike<number>, rows: number, columns: number): number {
  const [l, m] = [Math.min(rows, columns), Math.max(rows, columns)];
  const squares = Float64Array.from({ length: l }, (_, at) => (singular[at] ?? 0) ** 2);
  const alpha = l / m;
  const tau = TAU * Math.sqrt(alpha);
  const limit = (1 + tau) * (1 + alpha / tau);
  const total = squares.reduce((sum, x) => sum + x, 0);
  if (!(total > 0)) return 0;
  const noise = leastEnergy(noiseBounds(squares, { m, alpha, limit }), (v) =>
    freeEnergy(squares, v, { m, alpha, limit }),
  );
  return squares.filter((square) => square > m * noise * limit).length;
}

interface Shape {
  readonly m: number;
  readonly alpha: number;
  readonly limit: number;
}

/** Between which the noise lies: no more values than h can be signal. */
function noiseBounds(squares: Float64Array, { m, alpha, limit }: Shape): readonly [number, number] {
  const l = squares.length;
  const h = Math.min(Math.ceil(l / (1 + alpha)) - 1, l - 1);
  const rest = squares.subarray(h);
  const mean = rest.reduce((sum, x) => sum + x, 0) / (rest.length * m);
  const upper = squares.reduce((sum, x) => sum + x, 0) / (l * m);
  const lower = Math.max((rest[0] ?? 0) / (m * limit), mean);
  return [Math.min(lower, upper), upper];
}

function freeEnergy(squares: Float64Array, noise: number, { m, alpha, limit }: Shape): number {
  let sum = 0;
  for (const square of squares) {
    const x = Math.max(square, 1e-300) / (m * noise);
    if (x <= limit) sum += x - Math.log(x);
    else {
      const t = (x - 1 - alpha + Math.sqrt(Math.max(0, (x - 1 - alpha) ** 2 - 4 * alpha))) / 2;
      sum += x - t + Math.log((t + 1) / x) + alpha * Math.log(t / alpha + 1);
    }
  }
  return sum;
}

/** The best of a grid of logarithms, then of a finer one around it: the energy has several valleys. */
function leastEnergy([low, high]: readonly [number, number], energyOf: (noise: number) => number): number {
  if (!(low > 0)) return Math.max(0, high * 1e-12);
  let [from, to] = [Math.log(low), Math.log(high)];
  let best = low;
  for (let round = 0; round < 3; round++) {
    const step = (to - from) / STEPS;
    let [least, at] = [Infinity, from];
    for (let i = 0; i <= STEPS; i++) {
      const energy = energyOf(Math.exp(from + i * step));
      if (energy < least) [least, at] = [energy, from + i * step];
    }
    best = Math.exp(at);
    [from, to] = [Math.max(Math.log(low), at - step), Math.min(Math.log(high), at + step)];
  }
  return best;
}
