// Linear equations that are known by what their matrix does to a vector: preconditioned conjugate gradients. Every step lowers the
// quadratic form, so that an early stop is still better than the start.

export interface GradientOptions {
  /** Something near to the inverse; symmetric and positive definite. */
  readonly precondition: (residual: Float64Array) => Float64Array;
  readonly iterations: number;
  /** Part of the first residual's length (by the preconditioner) at which to stop. */
  readonly tolerance: number;
}

/** x of A x = `rhs` from `start` on, A symmetric and positive definite: x -> `apply(x)`. */
export async function conjugateGradients(
  apply: (x: Float64Array) => Float64Array | Promise<Float64Array>,
  rhs: Float64Array,
  start: Float64Array,
  { precondition, iterations, tolerance }: GradientOptions,
): Promise<Float64Array> {
  const x = Float64Array.from(start);
  const image = await apply(x);
  const residual = rhs.map((value, i) => value - (image[i] as number));
  let direction = precondition(residual);
  let length = dot(residual, direction);
  const enough = length * tolerance * tolerance;
  for (let i = 0; i < iterations && length > enough; i++) {
    const along = await apply(direction);
    const curvature = dot(direction, along);
    if (!(curvature > 0)) break;
    const step = length / curvature;
    addTo(x, direction, step);
    addTo(residual, along, -step);
    const next = precondition(residual);
    const nextLength = dot(residual, next);
    const share = nextLength / length;
    direction.forEach((value, j) => (next[j] = (next[j] as number) + share * value));
    [direction, length] = [next, nextLength];
  }
  return x;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function addTo(target: Float64Array, source: Float64Array, scale: number): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] as number) + scale * (source[i] as number);
}
