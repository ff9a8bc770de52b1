// Outputs on which an agreement says little, because they hardly answer to what was fed: a softmax that is always 0 or 1, a
// detector that never sees anything.
import { isFloat } from '../tensor/dtype.js';
import type { TensorMap } from './wire-tensor.js';

/** Share of the range within which a value counts as lying at its end. */
const END = 1e-4;
/** Range, relative to the scale, below which an output counts as constant. */
const CONSTANT = 1e-6;

/**
 * Floating-point outputs whose finite elements, over all `samples`, are all alike or all lie at the two ends of their
 * range, or that have none. No output counts when there is only one sample.
 */
export function stuckOutputs(samples: readonly TensorMap[]): string[] {
  const [first] = samples;
  if (!first || samples.length < 2) return [];
  return [...first].flatMap(([name, { dtype }]) => {
    if (!isFloat(dtype)) return [];
    const values = samples.flatMap((sample) => sample.get(name)?.toFloat64() ?? []);
    if (values.every(({ length }) => length === 0)) return [];
    return isStuck(values.map((list) => list.filter(Number.isFinite))) ? [name] : [];
  });
}

function isStuck(values: readonly Float64Array[]): boolean {
  let [low, high] = [Infinity, -Infinity];
  for (const list of values) {
    for (const value of list) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  const range = high - low;
  // Nothing finite, or one number.
  if (range < 0 || range <= CONSTANT * Math.max(Math.abs(low), Math.abs(high))) return true;
  return values.every((list) => list.every((value) => value - low <= END * range || high - value <= END * range));
}
