// Puts a chain of small layers in the place of a large one. Values and weights of the chain are named after the layer; the bias,
// and what else reads the output, stands behind the last of them.
import { invariant } from '../../base/errors.js';
import type { Factor, Factorization } from '../../fit/low-rank/factors.js';
import { layerSizes, storedWeights, weightRows, type RowLayer, type WindowLayer } from '../../fit/patch-geometry.js';
import { intAttr, intsAttr } from '../../ir/attribute.js';
import type { NodeSpec } from '../../ir/node-spec.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, replaceNode } from '../edit.js';
import { layerOutput, withBias, writeLayer } from '../linear-weights.js';
import type { FactorSite } from './factor-site.js';
import type { PlacedChain } from './placed-chain.js';

/** The chain in its place. Gemm keeps no alpha and beta: the factors hold them. */
export function replaceByChain({ node, layer, stored, input }: FactorSite, chain: Factorization): PlacedChain {
  const { factors } = chain;
  const [first, last] = [factors[0], factors.at(-1)];
  invariant(first && last, 'a chain has layers');
  const fits = first.layer.inputs === layer.inputs && last.layer.outputs === layer.outputs;
  invariant(fits, `the chain does not fit ${node.label}`, { node: node.label });
  const graph = graphOf(node);
  const nodes: Node[] = [];
  let value: Value = input;
  // A layer that is the last of an earlier chain has that chain's name: the runtime refuses two nodes of one name.
  const known = namedFactors(node);
  for (const [at, factor] of factors.slice(0, -1).entries()) {
    const name = node.name === '' ? '' : `${node.name}_factor_${known + at + 1}`;
    const outputs = [`${node.output?.name ?? ''}_factor_${at + 1}`];
    const made = graph.addNode({ ...specOf(node, factor, { value, at }), name, outputs }, node);
    invariant(made.output, 'a layer has an output');
    nodes.push(made);
    value = made.output;
  }
  const made = replaceNode(node, specOf(node, last, { value, at: factors.length - 1 }));
  nodes.push(made.opType === 'MatMul' ? biased(made, last) : made);
  return { layer, stored, chain, nodes };
}

/** The highest number of a node that is called a factor of this one. */
function namedFactors(node: Node): number {
  const stem = `${node.name}_factor_`;
  const numbers = graphOf(node)
    .nodes()
    .flatMap(({ name }) => (name.startsWith(stem) ? [Number(name.slice(stem.length))] : []));
  return Math.max(0, ...numbers.filter(Number.isInteger));
}

/** The first operator set in which the third input of Gemm may be left out. */
const GEMM_WITHOUT_BIAS = 11;

interface Place {
  /** What the layer reads. */
  readonly value: Value;
  readonly at: number;
}

function specOf(node: Node, factor: Factor, { value, at }: Place): Omit<NodeSpec, 'outputs' | 'name'> {
  const { opType } = node;
  const { layer, bias } = factor;
  const graph = graphOf(node);
  const hint = node.inputs[1]?.name ?? opType.toLowerCase();
  const store = (numbers: Float64Array, dims: readonly number[], name: string): Value =>
    graph.addInitializer(Tensor.fromNumbers('float32', dims, numbers), name);
  const { weights, dims, attributes } =
    layer.kind === 'rows' ? rowFactor(layer, factor, opType) : windowFactor(layer, factor);
  const stored = store(weights, dims, `${hint}_factor_${at + 1}`);
  const needsBias = opType === 'Gemm' && graph.model.opset < GEMM_WITHOUT_BIAS;
  const hasBias = opType !== 'MatMul' && (needsBias || bias?.some((number) => number !== 0) === true);
  const numbers = bias ?? new Float64Array(layer.outputs);
  const added = hasBias ? [store(numbers, [numbers.length], node.inputs[2]?.name ?? `${hint}_bias`)] : [];
  return { opType, attributes, inputs: [value, stored, ...added] };
}

interface StoredFactor {
  readonly weights: Float64Array;
  readonly dims: readonly number[];
  readonly attributes: NonNullable<NodeSpec['attributes']>;
}

/** MatMul reads weights input by output; Gemm either way. */
function rowFactor(layer: RowLayer, { weights }: Factor, opType: string): StoredFactor {
  const isTransposed = layer.weights === 'output-input';
  const { inputs, outputs } = layer;
  if (opType === 'Gemm' && isTransposed)
    return { weights, dims: [outputs, inputs], attributes: { transB: intAttr(1) } };
  return { weights: inputFirst(layer, weights), dims: [inputs, outputs], attributes: {} };
}

function windowFactor(layer: WindowLayer, { weights }: Factor): StoredFactor {
  invariant(layer.kind === 'conv', 'chains of convolutions hold no transposed ones');
  const { kernel, strides, dilations, begins, ends, groups } = layer;
  const unless = (numbers: readonly number[], usual: number) =>
    numbers.every((number) => number === usual) ? undefined : intsAttr(numbers);
  return {
    weights,
    dims: [layer.outputs, layerSizes(layer).inputs, ...kernel],
    attributes: {
      kernel_shape: intsAttr(kernel),
      strides: unless(strides, 1),
      dilations: unless(dilations, 1),
      pads: unless([...begins, ...ends], 0),
      group: groups === 1 ? undefined : intAttr(groups),
    },
  };
}

/** The bias of a product stands in the Add behind it; one is put there where it is needed. */
function biased(node: Node, { layer, weights, bias }: Factor): Node {
  invariant(layer.kind === 'rows', 'products are chains of products');
  const isNeeded = bias?.some((number) => number !== 0) === true;
  if (!isNeeded && layerOutput(node) === node.output) return node;
  const product = withBias(node);
  writeLayer(product, { weights: inputFirst(layer, weights), bias: bias ?? new Float64Array(layer.outputs) });
  return product;
}

const inputFirst = (layer: RowLayer, weights: Float64Array): Float64Array =>
  layer.weights === 'input-output'
    ? weights
    : storedWeights({ ...layer, weights: 'input-output' }, weightRows(layer, weights));
