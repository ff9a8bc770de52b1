// Weights and biases of linear layers as numbers, whatever operator holds them: Conv and ConvTranspose in slots 1 and 2, Gemm
// with its factors alpha and beta, MatMul with an Add behind it (one is put there where there is none).
import { floatAttr } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { StoredLayer } from '../fit/held-out-refit.js';
import { bypass, graphOf, replaceNode, setConstantInput } from './edit.js';
import { Tensor } from '../tensor/tensor.js';

/** Where the bias stands: node and slot. */
interface BiasPlace {
  readonly node: Node;
  readonly slot: number;
}

/** The Add with one number per output that alone reads a product. */
function addBehind(node: Node): BiasPlace | undefined {
  const add = node.output?.soleConsumer;
  const width = node.inputs[1]?.constant?.dims.at(-1);
  if (node.opType !== 'MatMul' || add?.opType !== 'Add' || add.domain !== '' || width === undefined) return undefined;
  const slot = add.inputs[0] === node.output ? 1 : 0;
  const bias = add.inputs[slot]?.constant;
  return bias?.size === width && bias.dims.at(-1) === width ? { node: add, slot } : undefined;
}

/** The value that weights and bias of a linear layer make. */
export function layerOutput(node: Node): Value | undefined {
  return addBehind(node)?.node.output ?? node.output;
}

/**
 * A MatMul without a bias becomes one with an Add of zeros behind it, which takes over the name of the product. The node
 * that computes the product from now on; of other layers `node` itself.
 */
export function withBias(node: Node): Node {
  const { output } = node;
  const weights = node.inputs[1]?.constant;
  if (node.opType !== 'MatMul' || addBehind(node) || !output || !weights) return node;
  const graph = graphOf(node);
  const { name, opType, inputs } = node;
  const product = graph.addNode({ name, opType, inputs, outputs: [`${output.name}_product`] }, node);
  const width = weights.dims.at(-1) ?? 0;
  const zeros = Tensor.fromNumbers(weights.dtype, [width], new Float64Array(width));
  const bias = graph.addInitializer(zeros, `${output.name}_bias`);
  replaceNode(node, { opType: 'Add', name: '', inputs: [product.output, bias], outputs: [output] });
  return product;
}

/** Takes away the Add of a product if it adds nothing; the product gets its name. */
export function dropIdleBias(node: Node): void {
  const place = addBehind(node);
  const isIdle = place?.node.inputs[place.slot]?.constant?.toFloat64().every((number) => number === 0);
  const { output } = node;
  const name = place?.node.output?.name;
  if (!place || !isIdle || !output || name === undefined || !bypass(place.node, output)) return;
  const { graph } = output;
  if (graph && !graph.model.names.has(name)) graph.rename(output, name);
}

function biasPlace(node: Node): BiasPlace {
  return addBehind(node) ?? { node, slot: 2 };
}

/** What a Gemm multiplies its product by, and its bias. */
function factorsOf(node: Node): { readonly alpha: number; readonly beta: number } {
  return node.opType === 'Gemm'
    ? { alpha: node.float('alpha', 1), beta: node.float('beta', 1) }
    : { alpha: 1, beta: 1 };
}

/** Weights and bias as they work, factors included. Undefined where the bias is not one number per output, or one for all. */
export function readLayer(node: Node, outputs: number): StoredLayer | undefined {
  const { alpha, beta } = factorsOf(node);
  const weights = node.inputs[1]?.constant;
  const place = biasPlace(node);
  const stored = place.node.inputs[place.slot];
  const numbers = stored?.constant?.toFloat64();
  if (!weights || (stored && !numbers)) return undefined;
  const isForAll = numbers?.length === 1;
  const isPerOutput = numbers?.length === outputs && stored?.constant?.dims.at(-1) === outputs;
  if (numbers && !isForAll && !isPerOutput) return undefined;
  const bias = Float64Array.from({ length: outputs }, (_, o) => (numbers?.[isForAll ? 0 : o] ?? 0) * beta);
  return { weights: weights.toFloat64().map((weight) => weight * alpha), bias };
}

/** Writes what `readLayer` would read; weights that other nodes share stay as they are there. */
export function writeLayer(node: Node, { weights, bias }: StoredLayer): void {
  writeWeights(node, weights);
  if (factorsOf(node).beta !== 1) graphOf(node).setAttribute(node, 'beta', floatAttr(1));
  const place = biasPlace(node);
  const { dtype } = node.inputs[1]?.constant ?? { dtype: 'float32' };
  const shape = place.node === node ? [bias.length] : (place.node.inputs[place.slot]?.constant?.dims ?? [bias.length]);
  setNumbers(place.node, place.slot, Tensor.fromNumbers(dtype, shape, bias), `${node.output?.name ?? ''}_bias`);
}

/** As `writeLayer`; the bias stays. */
export function writeWeights(node: Node, weights: ArrayLike<number>): void {
  const { alpha } = factorsOf(node);
  const stored = node.inputs[1]?.constant;
  if (!stored) throw new TypeError(`${node.label} has no stored weights`);
  if (alpha === 0) graphOf(node).setAttribute(node, 'alpha', floatAttr(1));
  const factor = alpha === 0 ? 1 : alpha;
  const scaled = Float64Array.from(weights, (weight) => weight / factor);
  setNumbers(node, 1, Tensor.fromNumbers(stored.dtype, stored.dims, scaled));
}

/** In place where nobody else reads them, so that they keep their name. */
function setNumbers(node: Node, slot: number, tensor: Tensor, name?: string): void {
  const value = node.inputs[slot];
  const isOwn = value?.soleConsumer === node && value.initializer !== undefined && !value.isInput;
  if (value?.graph && isOwn) {
    value.graph.setInitializer(value, { kind: 'dense', tensor });
    value.graph.setType(value, { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims });
  } else setConstantInput(node, slot, tensor, value?.name ?? name);
}
