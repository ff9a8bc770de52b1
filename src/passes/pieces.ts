// What every fusion asks of the pieces of an operator that it found: that only they read what lies between, that the
// single operator is no slower for the element type, and that no constant gives the result more axes than the input has.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { DType } from '../tensor/dtype.js';
import { refuse, type Refusal } from './plan.js';

/** Pieces that compute one value, the output of their root, from `x`. */
export interface Pieces {
  readonly x: Value;
  /** All of them but the root. */
  readonly nodes: ReadonlySet<Node>;
}

/** The codes of `piecesRefusal`, for the table of a pass. */
export const PIECES_DECLINES = {
  'shared-output': 'A value between the pieces is also read by others, or is an output of the graph.',
  'element-type': 'ONNX Runtime does not run {operator} of {dtype} numbers, or not as fast as its pieces.',
  'constant-shape': 'A constant among the pieces may give the result more axes than {value} has.',
} as const;

/**
 * Element types for which ONNX Runtime 1.30 loads the operator on the CPU and runs it at least as fast as its pieces
 * (bench/fused-operators.mjs). Operators of float16 mostly expand to functions with conversions in between.
 */
const ELEMENT_TYPES: Readonly<Record<string, ReadonlySet<DType>>> = {
  HardSwish: new Set(['float32']),
  HardSigmoid: new Set(['float32']),
  Gelu: new Set(['float32']),
  Mish: new Set(['float32', 'float16', 'float64']),
  Swish: new Set(['float32']),
  Sigmoid: new Set(['float32']),
  Relu: new Set(['float32']),
  Clip: new Set(['float32']),
  LeakyRelu: new Set(['float32']),
  Softmax: new Set(['float32']),
  // Of float64 it would be computed in float32.
  LayerNormalization: new Set(['float32']),
  RMSNormalization: new Set(['float32']),
  InstanceNormalization: new Set(['float32', 'float16']),
  GlobalAveragePool: new Set(['float32']),
  DepthToSpace: new Set(['float32', 'float16', 'float64', 'uint8']),
  SpaceToDepth: new Set(['float32', 'float16', 'float64']),
};

/** Why pieces that do arithmetic with constants must not become `operator`; undefined when they may. */
export function piecesRefusal(
  pieces: Pieces,
  root: Node,
  operator: string,
  facts: Facts,
): Refusal<keyof typeof PIECES_DECLINES> | undefined {
  const { x, nodes } = pieces;
  const rank = facts.of(x).shape?.length ?? 0;
  const grows = (node: Node): boolean => node.inputs.some((value) => (value?.constant?.dims.length ?? 0) > rank);
  return (
    kernelRefusal(pieces, root, operator, facts) ??
    ([...nodes, root].some(grows) ? refuse('constant-shape', { value: x.name }) : undefined)
  );
}

/** Why pieces of any kind must not: the operator has no good kernel for them, or they are not theirs to remove. */
export function kernelRefusal(
  { x, nodes }: Pieces,
  root: Node,
  operator: string,
  facts: Facts,
): Refusal<'element-type' | 'shared-output'> | undefined {
  const { dtype } = facts.of(x);
  if (dtype === undefined || ELEMENT_TYPES[operator]?.has(dtype) !== true)
    return refuse('element-type', { operator, dtype: dtype ?? 'unknown' });
  return areOwned(nodes, root) ? undefined : refuse('shared-output');
}

/** Whether what `nodes` compute is read by them and by `root` only, so that they go when the root is replaced. */
function areOwned(nodes: ReadonlySet<Node>, root: Node): boolean {
  for (const node of nodes) {
    if (node.graph !== root.graph) return false;
    for (const value of node.outputs) {
      if (value && (value.isGraphOutput || value.consumers().some((reader) => reader !== root && !nodes.has(reader))))
        return false;
    }
  }
  return true;
}
