// What each exact form of "shift, then convolution with zero padding" costs (methods 1.1): left as it is, padding by the
// constant that the shift maps to zero, a map of biases added behind, a channel of ones in front.
import type { Facts } from '../analysis/facts.js';
import type { DeclineDetails } from './pass.js';
import type { TensorLayer } from './tensor-layer.js';
import { elementCount } from '../tensor/tensor.js';
import { windowGeometry } from './conv-geometry.js';

/** Elements read and written, bytes and multiply-accumulates of the alternatives, at the sizes assumed for costs. */
export function paddedCosts({ node, data, output, weights, layout }: TensorLayer, facts: Facts): DeclineDetails {
  const input = facts.assumed(data);
  const result = facts.assumed(output);
  const geometry = windowGeometry(node, facts);
  if (!input || !result || !geometry)
    return { leave: '?', pad: '?', map: '?', mapBytes: '?', ones: '?', onesMacs: '?' };
  const inputs = elementCount(input);
  const padded = elementCount(input.map((dim, i) => dim + (geometry.begins[i - 2] ?? 0) + (geometry.ends[i - 2] ?? 0)));
  const outputs = elementCount(result);
  const perItem = outputs / (result[0] ?? 1);
  return {
    leave: 2 * inputs,
    pad: inputs + padded,
    map: 2 * outputs,
    mapBytes: (perItem * weights.byteLength) / weights.size,
    ones: 2 * inputs + inputs / layout.inputs,
    onesMacs: outputs * layout.kernel,
  };
}
