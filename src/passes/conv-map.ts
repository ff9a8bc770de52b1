// Convolutions (and average pools, which are depthwise convolutions by 1/k^2) as linear maps that can be composed and
// added. Weights are W[o, i, taps...] with i counted within the group of o; taps lie `dilations` apart.
import type { Facts } from '../analysis/facts.js';
import { intAttr, intsAttr, type Attribute } from '../ir/attribute.js';
import type { Node } from '../ir/node.js';
import type { Value } from '../ir/value.js';
import type { DType } from '../tensor/dtype.js';
import { elementCount, type Tensor } from '../tensor/tensor.js';
import { MAX_CHANNELS } from './channel-affine.js';
import { isUnpadded, windowGeometry, type WindowGeometry } from './conv-geometry.js';
import { graphOf, replaceNode } from './edit.js';
import { foldedTensor } from './folded-tensor.js';
import { isRefusal, refuse, type Planned, type Refusal } from './plan.js';
import { tensorLayerOf, type LayerRefusal } from './tensor-layer.js';

export interface ConvMap extends WindowGeometry {
  readonly dtype: DType;
  readonly groups: number;
  readonly outputs: number;
  readonly inputs: number;
  /** Tensors that `weights` reads. */
  readonly sources: readonly Tensor[];
  /** Row-major [outputs, inputs/groups, kernel...]: a fresh array. */
  weights(): Float64Array;
  readonly bias: Float64Array | undefined;
}

/** A Conv with constant weights. Undefined for other nodes, and when its padding is not known. */
export function convMapOf(node: Node, facts: Facts): Planned<ConvMap, LayerRefusal> {
  if (!node.is('Conv')) return undefined;
  const layer = tensorLayerOf(node, facts);
  const geometry = windowGeometry(node, facts);
  if (!layer || isRefusal(layer)) return layer;
  const { weights, layout, bias } = layer;
  if (geometry?.kernel.length !== weights.dims.length - 2) return undefined;
  return {
    ...geometry,
    dtype: weights.dtype,
    groups: layout.groups,
    outputs: layout.outputs,
    inputs: layout.inputs,
    sources: [weights],
    weights: () => weights.toFloat64(),
    bias,
  };
}

/**
 * An AveragePool over `channels` channels as a depthwise Conv. Undefined unless every window divides by the same
 * number: no padding, or padding that is counted, and no partial windows (ceil_mode).
 */
export function averagePoolMap(node: Node, channels: number, dtype: DType, facts: Facts): ConvMap | undefined {
  const geometry = node.is('AveragePool') ? windowGeometry(node, facts) : undefined;
  if (geometry === undefined || node.int('ceil_mode', 0) !== 0) return undefined;
  if (!isUnpadded(geometry) && node.int('count_include_pad', 0) === 0) return undefined;
  const taps = elementCount(geometry.kernel);
  if (channels * taps > MAX_CHANNELS) return undefined;
  return {
    ...geometry,
    dtype,
    groups: channels,
    outputs: channels,
    inputs: channels,
    sources: [],
    weights: () => new Float64Array(channels * taps).fill(1 / taps),
    bias: undefined,
  };
}

/** Multiply-accumulates per output position. */
export function macsPerPosition({
  outputs,
  inputs,
  groups,
  kernel,
}: Pick<ConvMap, 'outputs' | 'inputs' | 'groups' | 'kernel'>): number {
  return outputs * (inputs / groups) * elementCount(kernel);
}

/** Output channels that a kernel of the runtime computes at once (AVX-512; measured: 4 take the time of 16). */
const CHANNEL_BLOCK = 16;

/** The same with the output channels that the runtime computes: those of each group, or of a depthwise map, in whole blocks. */
export function blockedMacsPerPosition(map: Parameters<typeof macsPerPosition>[0]): number {
  const { outputs, inputs, groups, kernel } = map;
  const blocks = (channels: number): number => CHANNEL_BLOCK * Math.ceil(channels / CHANNEL_BLOCK);
  if (inputs === groups && outputs === groups) return blocks(outputs) * elementCount(kernel);
  return macsPerPosition({ outputs: groups * blocks(outputs / groups), inputs, groups, kernel });
}

/** Numbers that a composition multiplies: a bound on the time to compute it. */
export function compositionWork(first: ConvMap, second: ConvMap): number {
  return (
    second.outputs *
    (second.inputs / second.groups) *
    elementCount(second.kernel) *
    (first.inputs / first.groups) *
    elementCount(first.kernel)
  );
}

/**
 * `second` after `first` as one convolution, exact where `second` reads no padding (or `first` is a point kernel
 * without bias along the padded axes). Per axis: W[s1 d2 a2 + d1 a1] += W2[a2] W1[a1], stride s1 s2, padding p1 + s1 p2,
 * b = b2 + sum W2 b1; stored with the largest dilation that all taps are multiples of.
 */
export function composedGeometry(first: ConvMap, second: ConvMap): WindowGeometry & { readonly groups: number } {
  const step = (i: number): number => (first.strides[i] ?? 1) * (second.dilations[i] ?? 1);
  const dilations = first.kernel.map(
    (k1, i) => gcd((second.kernel[i] ?? 1) > 1 ? step(i) : 0, k1 > 1 ? (first.dilations[i] ?? 1) : 0) || 1,
  );
  return {
    groups: gcd(first.groups, second.groups),
    dilations,
    kernel: first.kernel.map(
      (k1, i) =>
        (step(i) * ((second.kernel[i] ?? 1) - 1) + (first.dilations[i] ?? 1) * (k1 - 1)) / (dilations[i] ?? 1) + 1,
    ),
    strides: first.strides.map((s1, i) => s1 * (second.strides[i] ?? 1)),
    begins: first.begins.map((p1, i) => p1 + (first.strides[i] ?? 1) * (second.begins[i] ?? 0)),
    ends: first.ends.map((q1, i) => q1 + (first.strides[i] ?? 1) * (second.ends[i] ?? 0)),
  };
}

/** `second` after `first` as one map; its numbers are computed when they are asked for. */
export function compose(first: ConvMap, second: ConvMap): ConvMap {
  const geometry = composedGeometry(first, second);
  return {
    ...geometry,
    dtype: second.dtype,
    outputs: second.outputs,
    inputs: first.inputs,
    sources: [...first.sources, ...second.sources],
    weights: () => composedWeights(first, second, geometry),
    bias: composedBias(first, second),
  };
}

function composedWeights(
  first: ConvMap,
  second: ConvMap,
  { kernel, dilations, groups }: ReturnType<typeof composedGeometry>,
): Float64Array {
  const [w1, w2] = [first.weights(), second.weights()];
  const [taps1, taps2] = [elementCount(first.kernel), elementCount(second.kernel)];
  const taps = elementCount(kernel);
  const perGroup = first.inputs / groups;
  const [per1, per2] = [first.inputs / first.groups, second.inputs / second.groups];
  const places = tapPlaces(first, second, kernel, dilations);
  const result = new Float64Array(second.outputs * perGroup * taps);
  for (let o = 0; o < second.outputs; o++) {
    const block = Math.floor((o * groups) / second.outputs) * perGroup;
    const middle = Math.floor((o * second.groups) / second.outputs) * per2;
    for (let m = 0; m < per2; m++) {
      const channel = middle + m;
      const firstInput = Math.floor((channel * first.groups) / first.outputs) * per1 - block;
      for (let a2 = 0; a2 < taps2; a2++) {
        const factor = w2[(o * per2 + m) * taps2 + a2] ?? 0;
        if (factor === 0) continue;
        for (let i = 0; i < per1; i++) {
          const to = (o * perGroup + firstInput + i) * taps;
          const from = (channel * per1 + i) * taps1;
          for (let a1 = 0; a1 < taps1; a1++) {
            const at = to + (places[a2 * taps1 + a1] ?? 0);
            result[at] = (result[at] ?? 0) + factor * (w1[from + a1] ?? 0);
          }
        }
      }
    }
  }
  return result;
}

/** Where tap a1 of the first under tap a2 of the second lies in the merged kernel. */
function tapPlaces(first: ConvMap, second: ConvMap, kernel: readonly number[], dilations: readonly number[]): number[] {
  const places: number[] = [];
  const [taps1, taps2] = [elementCount(first.kernel), elementCount(second.kernel)];
  for (let a2 = 0; a2 < taps2; a2++) {
    const at2 = unravel(a2, second.kernel);
    for (let a1 = 0; a1 < taps1; a1++) {
      const at1 = unravel(a1, first.kernel);
      const at = kernel.map(
        (_, i) =>
          ((first.strides[i] ?? 1) * (second.dilations[i] ?? 1) * (at2[i] ?? 0) +
            (first.dilations[i] ?? 1) * (at1[i] ?? 0)) /
          (dilations[i] ?? 1),
      );
      places.push(at.reduce((place, index, i) => place * (kernel[i] ?? 1) + index, 0));
    }
  }
  return places;
}

function composedBias(first: ConvMap, second: ConvMap): Float64Array | undefined {
  const before = first.bias;
  if (before === undefined) return second.bias;
  const bias = second.bias ? Float64Array.from(second.bias) : new Float64Array(second.outputs);
  const weights = second.weights();
  const [taps, per] = [elementCount(second.kernel), second.inputs / second.groups];
  for (let o = 0; o < second.outputs; o++) {
    const middle = Math.floor((o * second.groups) / second.outputs) * per;
    for (let m = 0; m < per; m++) {
      for (let a = 0; a < taps; a++)
        bias[o] = (bias[o] ?? 0) + (weights[(o * per + m) * taps + a] ?? 0) * (before[middle + m] ?? 0);
    }
  }
  return bias;
}

/** The index per axis of place `flat` in a row-major array of these sizes. */
export function unravel(flat: number, sizes: readonly number[]): number[] {
  const index = sizes.map(() => 0);
  let rest = flat;
  for (let i = sizes.length - 1; i >= 0; i--) {
    const size = sizes[i] ?? 1;
    index[i] = rest % size;
    rest = Math.floor(rest / size);
  }
  return index;
}

/** Greatest common divisor of two non-negative integers. */
export function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

export interface ConvTensors {
  readonly weights: Tensor;
  readonly bias: Tensor | undefined;
}

/** The map's numbers as tensors, or a refusal when one does not fit the type. */
export function convTensors(map: ConvMap): ConvTensors | Refusal<'out-of-range'> {
  const { dtype, outputs, inputs, groups, kernel, bias } = map;
  const weights = foldedTensor(dtype, [outputs, inputs / groups, ...kernel], map.sources, () => map.weights());
  const given = bias?.some((b) => b !== 0) ? bias : undefined;
  const biasTensor = given && foldedTensor(dtype, [outputs], [], () => given);
  return weights === undefined || (given && !biasTensor) ? refuse('out-of-range') : { weights, bias: biasTensor };
}

/** Puts a Conv of this map over `data` in the place of `node`, whose outputs it takes over. */
export function replaceWithConv(
  node: Node,
  data: Value,
  map: ConvMap,
  { weights, bias }: ConvTensors,
  name: string,
): Node {
  const graph = graphOf(node);
  const inputs = [
    data,
    graph.addInitializer(weights, `${name}_weight`),
    bias && graph.addInitializer(bias, `${name}_bias`),
  ];
  return replaceNode(node, { opType: 'Conv', inputs, attributes: convAttributes(map) });
}

/** Attributes of a Conv of this geometry, without those at their defaults. */
function convAttributes({
  kernel,
  strides,
  dilations,
  begins,
  ends,
  groups,
}: WindowGeometry & { readonly groups: number }): Record<string, Attribute | undefined> {
  const unless = (numbers: readonly number[], fallback: number): Attribute | undefined =>
    numbers.every((n) => n === fallback) ? undefined : intsAttr(numbers);
  return {
    dilations: unless(dilations, 1),
    group: groups === 1 ? undefined : intAttr(groups),
    kernel_shape: intsAttr(kernel),
    pads: unless([...begins, ...ends], 0),
    strides: unless(strides, 1),
  };
}
