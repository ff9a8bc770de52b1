// The weights of a product as rows, one per output channel, whatever order they are stored in, and back.
import type { Node } from '../../ir/node.js';
import { elementCount } from '../../tensor/tensor.js';

export interface WeightRows {
  /** Output channels. */
  readonly count: number;
  /** Row-major float64, `count` rows. */
  readonly weights: Float64Array;
  readonly bias: Float64Array | undefined;
  /** Dims of the stored integers, and the axis of their output channels there. */
  readonly dims: readonly number[];
  readonly axis: number;
  /** The integers are stored transposed to what the node had: set transB. */
  readonly isTransposed: boolean;
  /** Integers of the rows in the order they are stored in. */
  stored(rows: Int8Array): Int8Array;
  /** Integers in the order of the weights of the node, as rows. */
  fromStored(integers: Int8Array): Int8Array;
}

/** Rows of a Conv, Gemm or MatMul with constant weights. A Gemm is stored with transB = 1, as its int8 kernel wants it. */
export function rowsOf(node: Node): WeightRows | undefined {
  const tensor = node.inputs[1]?.constant;
  if (!tensor) return undefined;
  const bias = node.opType === 'MatMul' ? undefined : node.inputs[2]?.constant?.toFloat64();
  const numbers = tensor.toFloat64();
  const [first = 0, second = 0] = tensor.dims;
  const asStored = (rows: Int8Array): Int8Array => rows;
  if (node.opType === 'Conv' || (node.opType === 'Gemm' && node.int('transB', 0) !== 0))
    return {
      count: first,
      weights: numbers,
      bias,
      dims: tensor.dims,
      axis: 0,
      isTransposed: false,
      stored: asStored,
      fromStored: asStored,
    };
  const weights = transposed(numbers, first, second);
  const fromStored = (integers: Int8Array): Int8Array => Int8Array.from(transposed(integers, first, second));
  if (node.opType === 'Gemm') {
    const dims = [second, first];
    return { count: second, weights, bias, dims, axis: 0, isTransposed: true, stored: asStored, fromStored };
  }
  const back = (rows: Int8Array): Int8Array => Int8Array.from(transposed(rows, second, first));
  return { count: second, weights, bias, dims: tensor.dims, axis: 1, isTransposed: false, stored: back, fromStored };
}

function transposed(numbers: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const result = new Float64Array(elementCount([rows, columns]));
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = numbers[i * columns + j] ?? 0;
  return result;
}
