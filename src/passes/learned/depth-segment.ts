// Segments of a network that would be one convolution if the activations inside were left out (Kim 2023, LayerMerge 2024): convolutions,
// average pools, scales and residual sums with one way in and one way out.
import type { Facts } from '../../analysis/facts.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { affineOf } from '../channel-affine.js';
import { clippingOf } from '../value-range.js';

/** One node of a segment, and the values that it computes its result from. */
export type DepthStep =
  | { readonly kind: 'activation' | 'linear'; readonly node: Node; readonly output: Value; readonly data: Value }
  | { readonly kind: 'sum'; readonly node: Node; readonly output: Value; readonly data: readonly Value[] };

export interface DepthSegment {
  readonly input: Value;
  readonly output: Value;
  /** In the order of execution; the last one is linear or a sum. */
  readonly steps: readonly DepthStep[];
  /** Of them those with weights: two or more. */
  readonly convs: readonly Node[];
}

/** Why no segment ends at a convolution behind another one. */
export type SegmentRefusal = 'shared-value' | 'graph-output';

export interface FoundSegments {
  readonly segments: readonly DepthSegment[];
  readonly refusals: ReadonlyMap<Node, SegmentRefusal>;
}

/**
 * Convolutions of the longest segment that is looked for. Longer ones lose more than several shorter ones that are as fast (ResNet-56: 8 lose
 * 0.6 points, 12 2.2, 16 3.8).
 */
export const MAX_CONVS = 8;

/** Nodes of it: sums and activations without convolutions among them are not followed for ever. */
const MAX_NODES = 6 * MAX_CONVS;

/**
 * All segments of the graph, in the order of their first convolutions. Of segments with the same input and the same convolutions only the
 * longest: it can do all that the others can.
 */
export function depthSegments(graph: Graph, facts: Facts): FoundSegments {
  const nodes = graph.nodes();
  const places = new Map(nodes.map((node, place) => [node, place]));
  const longest = new Map<string, DepthSegment>();
  const refusals = new Map<Node, SegmentRefusal>();
  for (const node of nodes) {
    const last = stepOf(node, facts);
    if (last?.kind !== 'sum' && node.opType !== 'Conv') continue;
    const { segments, refusal } = segmentsBefore(node, places, facts);
    for (const segment of segments)
      longest.set([segment.input.name, ...segment.convs.map((conv) => places.get(conv))].join('/'), segment);
    if (refusal && segments.length === 0) refusals.set(node, refusal);
  }
  const first = ({ convs }: DepthSegment): number => places.get(convs[0] as Node) ?? 0;
  const segments = [...longest.values()].sort((a, b) => first(a) - first(b) || a.convs.length - b.convs.length);
  return { segments, refusals };
}

interface SegmentsBefore {
  readonly segments: readonly DepthSegment[];
  readonly refusal: SegmentRefusal | undefined;
}

/** Goes back from the result, latest value first: wherever a single value is open, it is the way in. */
function segmentsBefore(last: Node, places: ReadonlyMap<Node, number>, facts: Facts): SegmentsBefore {
  const segments: DepthSegment[] = [];
  const taken = new Map<Node, DepthStep>();
  const open = new Set<Value>(last.output ? [last.output] : []);
  for (;;) {
    const latest = latestOf(open, places);
    const step = latest?.producer && places.has(latest.producer) ? stepOf(latest.producer, facts) : undefined;
    if (!latest || !step) return { segments, refusal: undefined };
    const refusal = taken.size > 0 ? heldBy(latest, taken) : undefined;
    if (refusal) return { segments, refusal: step.kind === 'sum' ? undefined : refusal };
    taken.set(step.node, step);
    open.delete(latest);
    for (const value of dataOf(step)) open.add(value);
    const convs = [...taken.keys()].filter(({ opType }) => opType === 'Conv');
    if (convs.length > MAX_CONVS || taken.size > MAX_NODES) return { segments, refusal: undefined };
    const [input] = open;
    if (open.size > 1 || !input || convs.length < 2 || beginsWithActivation(input, taken)) continue;
    const steps = [...taken.values()].reverse();
    segments.push({ input, output: steps.at(-1)?.output ?? input, steps, convs: convs.reverse() });
  }
}

const latestOf = (open: ReadonlySet<Value>, places: ReadonlyMap<Node, number>): Value | undefined =>
  [...open].sort((a, b) => placeOf(b, places) - placeOf(a, places))[0];

const placeOf = ({ producer }: Value, places: ReadonlyMap<Node, number>): number =>
  (producer && places.get(producer)) ?? -1;

const dataOf = (step: DepthStep): readonly Value[] => (step.kind === 'sum' ? step.data : [step.data]);

/** What keeps a value inside from going. */
function heldBy(value: Value, taken: ReadonlyMap<Node, DepthStep>): SegmentRefusal | undefined {
  if (value.isGraphOutput) return 'graph-output';
  return value.consumers().every((node) => taken.has(node)) ? undefined : 'shared-value';
}

/** The same segment without that activation is as good, and keeps it. */
const beginsWithActivation = (input: Value, taken: ReadonlyMap<Node, DepthStep>): boolean =>
  input
    .consumers()
    .flatMap((node) => taken.get(node) ?? [])
    .every(({ kind }) => kind === 'activation');

/** Elementwise functions of one value; Relu, Clip, Min and Max are told by what they do. */
const ACTIVATIONS: ReadonlySet<string> = new Set(
  'Celu Elu Gelu HardSigmoid HardSwish LeakyRelu Mish PRelu Selu Sigmoid Softplus Softsign Swish Tanh ThresholdedRelu'.split(
    ' ',
  ),
);

/** The node as part of a segment; undefined where it cannot be one. */
function stepOf(node: Node, facts: Facts): DepthStep | undefined {
  const { output } = node;
  const [first] = node.inputs;
  if (!output || !first || node.domain !== '' || node.outputs.length > 1) return undefined;
  const clipped = clippingOf(node, facts)?.source ?? (ACTIVATIONS.has(node.opType) ? first : undefined);
  if (clipped) return { kind: 'activation', node, output, data: clipped };
  if (node.opType === 'Conv' || node.opType === 'AveragePool') return { kind: 'linear', node, output, data: first };
  const affine = affineOf(node);
  if (affine) return { kind: 'linear', node, output, data: affine.data };
  const data = node.inputs.flatMap((value) => (value && !value.constant ? [value] : []));
  const isSum =
    (node.opType === 'Add' || node.opType === 'Sum') && data.length > 1 && data.length === node.inputs.length;
  return isSum ? { kind: 'sum', node, output, data } : undefined;
}
