// What is known about an operator: one record each, grouped in one file per family and listed in registry.ts. An
// operator without a record is legal: it is opaque, its outputs have no known shape, and no pass touches it.
import type { DType } from '../tensor/dtype.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Dim } from '../ir/dim.js';
import type { Graph } from '../ir/graph.js';
import type { Node } from '../ir/node.js';
import type { AxisFacts } from './axes.js';

/** What analysis knows of a value. Absent fields are unknown. */
export interface ValueInfo {
  readonly dtype?: DType | undefined;
  readonly shape?: readonly Dim[] | undefined;
  /**
   * The elements, row-major, when known and few: constants, and results of shape computations, whose integers may be
   * symbolic. The length is the product of `shape`.
   */
  readonly data?: readonly Dim[] | undefined;
}

/** One node, seen through what analysis knows. */
export interface OpSite {
  readonly node: Node;
  /** Version of the operator set of the node's domain. */
  readonly opset: number;
  /** Facts of input slot `index`; undefined when the slot is omitted, an empty object when nothing is known. */
  input(index: number): ValueInfo | undefined;
  /** The whole tensor behind input `index`, when it is an initializer or comes from a Constant node. */
  constant(index: number): Tensor | undefined;
  /** A size that nothing is known about, different from every other. */
  unknownDim(): Dim;
  /** Facts of the outputs of a subgraph when its formal inputs have these (in order). */
  subgraph(graph: Graph, inputs: readonly (ValueInfo | undefined)[]): readonly ValueInfo[];
}

/** A node with the facts of its outputs, for cost formulas. */
export interface CostSite extends OpSite {
  output(index: number): ValueInfo | undefined;
}

/**
 * DeepRebirth (Li et al., sec. 1): a tensor layer has high-order learned weights (Conv, ConvTranspose, Gemm, MatMul,
 * recurrent); a non-tensor layer computes without them (pooling, normalization, activation, elementwise). `plumbing`
 * only moves, shapes or casts data, or computes shapes.
 */
export type LayerKind = 'tensor' | 'non-tensor' | 'plumbing';

export interface OpTraits {
  readonly layer: LayerKind;
  /** Output element i depends on element i of each (broadcast) input only. */
  readonly elementwise?: boolean;
  /** f is non-decreasing in its first input, for the attributes and constants of this node. */
  readonly nonDecreasing?: (site: OpSite) => boolean;
  /** f(s x) = s f(x) for s > 0, for the attributes of this node. */
  readonly positivelyHomogeneous?: (site: OpSite) => boolean;
  /** False when equal inputs may give different outputs (random numbers). Default true. */
  readonly deterministic?: boolean;
  /** The output may share the memory of the first input (Reshape and its like). */
  readonly alias?: boolean;
  /** Reads the dims of its first input, not its elements. */
  readonly dimsOnly?: boolean;
}

export interface OpRecord {
  readonly opType: string;
  /** '' for ai.onnx. */
  readonly domain: string;
  readonly traits: OpTraits;
  /** Facts of every output slot, in order. Must not throw on malformed nodes: unknown is an answer. */
  infer(site: OpSite): readonly ValueInfo[];
  /** Multiply-accumulate operations of one execution; absent for operators that count as none. */
  macs?(site: CostSite): Dim | undefined;
  /**
   * How axes of outputs follow axes of inputs, where the shapes of all of them are known. Absent, or undefined for this
   * node: opaque, nothing around it may leave.
   */
  axes?(site: CostSite): AxisFacts | undefined;
}

/** Identity with inference of the literal type, so that a family file reads as a list of declarations. */
export function defineOp(record: Omit<OpRecord, 'domain'> & { readonly domain?: string }): OpRecord {
  return { domain: '', ...record };
}
