// Convolutions that read the same value with the same window: their filters stack to one convolution. Each may be
// followed by an activation of its own; only equal ones can be shared.
import type { Facts } from '../analysis/facts.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import { sameTensor, type Tensor } from '../tensor/tensor.js';
import { affineOf } from './channel-affine.js';
import { windowGeometry, type WindowGeometry } from './conv-geometry.js';
import { foldedTensor } from './folded-tensor.js';
import { isRefusal, refuse, type Planned } from './plan.js';
import { fusedActivation } from './runtime-fusion.js';
import { isShared, tensorLayerOf, type LayerRefusal, type TensorLayer } from './tensor-layer.js';

/** One of the convolutions, up to the value that the rest of the graph reads. */
export interface ParallelConv {
  readonly layer: TensorLayer;
  readonly geometry: WindowGeometry;
  readonly activation: Node | undefined;
  readonly result: Value;
}

/** Why a convolution cannot be stacked with any other. */
export type StackRefusal = 'grouped' | 'shared-weights' | LayerRefusal;

/** The Conv nodes that read `data` beside `node`, and `node`, in the order they run; none when `node` is not the first. */
export function convsFrom(node: Node, data: Value): Node[] {
  const isBeside = (other: Node): boolean => other.is('Conv') && other.inputs[0] === data && other.graph === node.graph;
  // The readers may be thousands: each looks only until it finds one before it.
  for (const other of data.slots.keys()) if (isBeside(other) && other.isBefore(node)) return [];
  return data
    .consumers()
    .filter(isBeside)
    .sort((a, b) => a.order - b.order);
}

/** A dense convolution with weights of its own. Undefined where something is still to be folded into it. */
export function parallelConv(node: Node, facts: Facts): Planned<ParallelConv, StackRefusal> {
  const layer = tensorLayerOf(node, facts);
  const geometry = windowGeometry(node, facts);
  if (!layer || !geometry || isRefusal(layer)) return layer && isRefusal(layer) ? layer : undefined;
  if (layer.layout.groups !== 1) return refuse('grouped');
  if (isShared(layer.weight)) return refuse('shared-weights');
  // What folds into the convolution goes first: behind a Split it could not any more.
  if (layer.output.soleConsumer && affineOf(layer.output.soleConsumer)) return undefined;
  const activation = fusedActivation(node);
  if (node.outputs.length > 1 || (activation?.outputs.length ?? 1) > 1) return undefined;
  return { layer, geometry, activation, result: activation?.output ?? layer.output };
}

/** Whether two stack: same window, same type, and activations that are one. */
export function stacks(a: ParallelConv, b: ParallelConv): boolean {
  return (
    sameWindow(a.geometry, b.geometry) &&
    a.layer.weights.dtype === b.layer.weights.dtype &&
    sameActivation(a.activation, b.activation)
  );
}

/** Same kernel, strides, dilations and padding on every axis. */
export function sameWindow(a: WindowGeometry, b: WindowGeometry): boolean {
  return (['kernel', 'strides', 'dilations', 'begins', 'ends'] as const).every(
    (key) => a[key].length === b[key].length && a[key].every((n, i) => n === b[key][i]),
  );
}

/** Both are absent, or the same operator with equal attributes and equal constants. */
function sameActivation(a: Node | undefined, b: Node | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.opType !== b.opType || a.inputs.length !== b.inputs.length || a.attributes.size !== b.attributes.size)
    return false;
  const numbers = [...a.attributes].every(
    ([name, attribute]) =>
      'value' in attribute &&
      typeof attribute.value !== 'object' &&
      b.attribute(name)?.kind === attribute.kind &&
      attribute.value === (b.attribute(name) as { readonly value: unknown }).value,
  );
  return numbers && a.inputs.slice(1).every((value, i) => sameOperand(value, b.inputs[i + 1]));
}

/** Equal, and there before any node runs: the shared activation stands where the first of them stood. */
function sameOperand(a: Value | undefined, b: Value | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.producer !== undefined || b.producer !== undefined) return false;
  return a === b || (a.constant !== undefined && b.constant !== undefined && sameTensor(a.constant, b.constant));
}

/** The filters of all, one below the other, and their biases. Undefined when a number does not fit the type. */
export function stackedFilters(
  convs: readonly ParallelConv[],
): { readonly weights: Tensor; readonly bias: Tensor | undefined } | undefined {
  const layers = convs.map(({ layer }) => layer);
  const [first] = layers;
  if (first === undefined) return undefined;
  const { dtype, dims } = first.weights;
  const outputs = layers.reduce((sum, { layout }) => sum + layout.outputs, 0);
  const sources = layers.map(({ weights }) => weights);
  const weights = foldedTensor(dtype, [outputs, ...dims.slice(1)], sources, () =>
    joined(sources.map((tensor) => tensor.toFloat64())),
  );
  const hasBias = layers.some(({ bias }) => bias);
  const bias = hasBias
    ? foldedTensor(dtype, [outputs], [], () =>
        joined(layers.map(({ bias: own, layout }) => own ?? new Float64Array(layout.outputs))),
      )
    : undefined;
  return weights && (!hasBias || bias) ? { weights, bias } : undefined;
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
