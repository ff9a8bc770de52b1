// Algorithms that consist of products, written once: each is a generator that yields the factors of a product and is handed the
// product. Run here it is synchronous; run with a `Gemm`, its heavy products are made elsewhere.
import { multiply, type Gemm } from './gemm.js';
import type { Matrix } from './matrix.js';

/** An algorithm with result `T`: `yield [a, b]` gives the product a b. */
export type Steps<T> = Generator<readonly [Matrix, Matrix], T, Matrix>;

/** Multiplications below which sending the factors away costs more than the product does here. */
const LIGHT = 2 ** 21;

/** The result, every product made in JavaScript. */
export function runHere<T>(steps: Steps<T>): T {
  let step = steps.next();
  while (!step.done) step = steps.next(multiply(...step.value));
  return step.value;
}

/** The result, heavy products made by `gemm`, one after the other. Rejects as `gemm` does. */
export async function runWith<T>(gemm: Gemm, steps: Steps<T>): Promise<T> {
  let step = steps.next();
  while (!step.done) {
    const [a, b] = step.value;
    const isLight = a.rows * a.columns * b.columns < LIGHT;
    step = steps.next(isLight ? multiply(a, b) : await gemm(a, b));
  }
  return step.value;
}
