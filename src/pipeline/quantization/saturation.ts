// Where 8-bit weights can overflow on x86 without VNNI: its kernel adds neighbouring pairs of products u8 x s8 in 16 bit
// (pmaddubsw), which saturates (docs/quantization-rules.md). What can happen is worked out from the weights alone.
import type { Node } from '../../ir/node.js';

const LARGEST_ACTIVATION = 255;
const LARGEST_SUM = 2 ** 15 - 1;

/** Weights as rows of neighbours in the order in which the kernel adds them up. */
interface AddedWeights {
  readonly rows: number;
  readonly length: number;
  at(row: number, k: number): number;
}

/**
 * Share of the output channels of `node` whose worst pair of products passes 16 bits, with all activations at 255. Undefined
 * for nodes that have no int8 weights behind a DequantizeLinear, and for depthwise ones, whose kernel adds in 32 bit.
 */
export function saturatingShare(node: Node): number | undefined {
  const source = node.inputs[1]?.producer;
  const tensor = source?.is('DequantizeLinear') ? source.inputs[0]?.constant : undefined;
  if (tensor?.dtype !== 'int8') return undefined;
  const order = addedWeights(node, tensor.dims, tensor.toFloat64());
  if (!order || order.rows === 0) return undefined;
  let saturating = 0;
  for (let row = 0; row < order.rows; row++) if (canSaturate(order, row)) saturating++;
  return saturating / order.rows;
}

function canSaturate({ length, at }: AddedWeights, row: number): boolean {
  for (let k = 0; k < length; k += 2) {
    const [a, b] = [at(row, k), k + 1 < length ? at(row, k + 1) : 0];
    const high = LARGEST_ACTIVATION * (Math.max(0, a) + Math.max(0, b));
    const low = LARGEST_ACTIVATION * (Math.min(0, a) + Math.min(0, b));
    if (high > LARGEST_SUM || low < -LARGEST_SUM - 1) return true;
  }
  return false;
}

/** Conv adds channel by channel at each place of the kernel; Gemm and MatMul along the inner axis. */
function addedWeights(node: Node, dims: readonly number[], numbers: Float64Array): AddedWeights | undefined {
  const [first = 0, second = 0, ...spatial] = dims;
  const number = (index: number): number => numbers[index] ?? 0;
  if (node.is('Conv')) {
    if (second === 1 && node.int('group', 1) > 1) return undefined;
    const places = spatial.reduce((product, size) => product * size, 1);
    return {
      rows: first,
      length: second * places,
      at: (row, k) => number((row * second + (k % second)) * places + Math.floor(k / second)),
    };
  }
  if (dims.length !== 2 || !(node.is('Gemm') || node.is('MatMul'))) return undefined;
  if (node.is('Gemm') && node.int('transB', 0) !== 0)
    return { rows: first, length: second, at: (row, k) => number(row * second + k) };
  return { rows: second, length: first, at: (row, k) => number(k * second + row) };
}
