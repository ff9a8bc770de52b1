// The one convolution that a segment is once the activations inside are left out, all padding moved to its front (LayerMerge 2024): kernels
// composed, sums added up on a common grid, a value that is passed on as the identity; and the middle of it, where a smaller kernel is wanted.
import { invariant } from '../../base/errors.js';
import type { Facts } from '../../analysis/facts.js';
import type { Value } from '../../ir/value.js';
import { elementCount } from '../../tensor/tensor.js';
import { branchFrame, branchMap, summed } from '../conv-branches.js';
import { compose, compositionWork, unravel, type ConvMap } from '../conv-map.js';
import { isRefusal, refuse, type Refusal } from '../plan.js';
import type { LayerRefusal } from '../tensor-layer.js';
import type { DepthSegment } from './depth-segment.js';

export type DepthMapRefusal = LayerRefusal | 'no-map' | 'uneven-average' | 'sizes' | 'too-large';

/** Multiplications that composing the kernels of a segment may take. */
const MAX_WORK = 4e9;

/** A segment up to one of its values: a convolution of its input, or the input itself. */
type Part = ConvMap | 'input';

export interface DepthMapOptions {
  /** `sizes`: without biases, which are composed at once. */
  readonly read: 'sizes' | 'all';
  /**
   * Kernels that get wider than this on the way lose on both sides what is too much, where that lies in the padding. Default: none do.
   */
  readonly within?: number;
}

/** The segment as one convolution, or why it is none. Weights are composed when they are asked for. */
export function depthMap(
  { input, output, steps }: DepthSegment,
  facts: Facts,
  { read, within = Infinity }: DepthMapOptions,
): ConvMap | Refusal<DepthMapRefusal> {
  const parts = new Map<Value, Part>([[input, 'input']]);
  const partOf = (value: Value): Part => {
    const part = parts.get(value);
    invariant(part, `${value.name} is not computed from ${input.name}`);
    return part;
  };
  let work = 0;
  for (const step of steps) {
    const own = step.kind === 'linear' ? layerMap(step.output, step.data, facts) : undefined;
    if (own && isRefusal(own)) return own;
    if (step.kind === 'sum') {
      const sum = summedParts(step.data.map(partOf), input, facts);
      if (isRefusal(sum)) return sum;
      parts.set(step.output, remembered(sum));
      continue;
    }
    const before = partOf(step.data);
    const layer = own && (read === 'all' ? own : { ...own, bias: undefined });
    work += layer && before !== 'input' ? compositionWork(before, layer) : 0;
    if (work > MAX_WORK) return refuse('too-large');
    const after = layer && before !== 'input' ? remembered(narrowed(compose(before, layer), within)) : layer;
    parts.set(step.output, after ?? before);
  }
  const map = partOf(output);
  return map === 'input' ? refuse('no-map') : map;
}

function layerMap(output: Value, data: Value, facts: Facts): ConvMap | Refusal<DepthMapRefusal> {
  const frame = branchFrame(data, facts);
  return (frame && branchMap(output, frame, facts)) ?? refuse('no-map');
}

function summedParts(parts: readonly Part[], input: Value, facts: Facts): ConvMap | Refusal<DepthMapRefusal> {
  const frame = branchFrame(input, facts);
  const identity = frame && branchMap(input, frame, facts);
  if (!frame || !identity) return refuse('no-map');
  if (isRefusal(identity)) return identity;
  return summed(
    parts.map((part) => (part === 'input' ? identity : part)),
    frame,
    facts,
  );
}

/** A stream is read by the branch and by the sum: what it was composed to is worked out once. */
function remembered(map: ConvMap): ConvMap {
  let weights: Float64Array | undefined;
  return { ...map, weights: () => (weights ??= map.weights()) };
}

/** With the same middle. */
function narrowed(map: ConvMap, within: number): ConvMap {
  const kernel = map.kernel.map((k) => k - 2 * Math.ceil(Math.max(0, k - within) / 2));
  return middleOf(map, kernel) ?? map;
}

/** Taps left and right of (above and below) the middle `kernel` taps of a map that go, per axis. */
function margins(map: ConvMap, kernel: readonly number[]): { readonly before: number[]; readonly after: number[] } {
  const gone = map.kernel.map((size, axis) => size - (kernel[axis] ?? size));
  const before = gone.map((count) => Math.floor(count / 2));
  return { before, after: gone.map((count, axis) => count - (before[axis] ?? 0)) };
}

/** The middle of a map: as many taps per axis, or all of them where there are no more. Undefined where it begins inside of the data. */
export function middleOf(map: ConvMap, taps: readonly number[]): ConvMap | undefined {
  const kernel = map.kernel.map((k, axis) => Math.min(k, taps[axis] ?? k));
  const { before, after } = margins(map, kernel);
  const less = (pads: readonly number[], gone: readonly number[]): number[] =>
    pads.map((pad, axis) => pad - (gone[axis] ?? 0) * (map.dilations[axis] ?? 1));
  const [begins, ends] = [less(map.begins, before), less(map.ends, after)];
  if ([...begins, ...ends].some((pad) => pad < 0)) return undefined;
  return { ...map, kernel, begins, ends, weights: () => middleWeights(map, kernel, before) };
}

function middleWeights(map: ConvMap, kernel: readonly number[], before: readonly number[]): Float64Array {
  const [from, to] = [elementCount(map.kernel), elementCount(kernel)];
  const places = Array.from({ length: to }, (_, tap) =>
    unravel(tap, kernel).reduce((place, at, axis) => place * (map.kernel[axis] ?? 1) + at + (before[axis] ?? 0), 0),
  );
  const weights = map.weights();
  return Float64Array.from(
    { length: (weights.length / from) * to },
    (_, i) => weights[Math.floor(i / to) * from + (places[i % to] ?? 0)] ?? 0,
  );
}
