// Depth merging (Kim 2023, LayerMerge 2024): neighbouring convolutions, residual blocks among them, become one, and residual branches go.
import { invariant } from '../../base/errors.js';
import type { Facts } from '../../analysis/facts.js';
import type { Graph } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { macsPerPosition, replaceWithConv, type ConvMap } from '../conv-map.js';
import { removeDead } from '../edit.js';
import { isRefusal, refuse, type Refusal } from '../plan.js';
import { clippingOf } from '../value-range.js';
import type { BlockDecline, BlockProposal, BlockRule, FoundBlocks } from './block-rule.js';
import { dropBranch, residualBranches, type ResidualBranch } from './depth-branch.js';
import { depthMap, middleOf, type DepthMapRefusal } from './depth-map.js';
import { depthSegments, MAX_CONVS, type DepthSegment, type SegmentRefusal } from './depth-segment.js';

export type DepthRefusal = SegmentRefusal | DepthMapRefusal | 'not-float32' | 'unknown-size' | 'dearer' | 'cropped';

/** How wide the kernel is: as the widest of those that go, or a single tap. All that they see together would be no faster than they are. */
const WIDTHS = { own: '', point: '-point' } as const;
type Width = keyof typeof WIDTHS;

/** Taps that a kernel on the way is wider than the one wanted: what is further out has little to say about the middle, and a fit follows. */
const MARGIN = 6;

const COUNTS = Array.from({ length: MAX_CONVS - 1 }, (_, i) => i + 2);

const FORMS: Readonly<Record<string, string>> = {
  drop: 'the branch of a residual sum goes',
  ...Object.fromEntries(
    COUNTS.flatMap((convs) => [
      [`${convs}`, `${convs} convolutions become one, as wide as the widest of them`],
      [
        `${convs}-folded`,
        `${convs} convolutions and the residual sums among them become one, as wide as the widest of them`,
      ],
      [`${convs}-folded-point`, `${convs} convolutions and the residual sums among them become a point convolution`],
    ]),
  ),
};

export const MERGE_DEPTH: BlockRule<DepthRefusal> = {
  name: 'merge-depth',
  summary: 'neighbouring convolutions become one without the activations between them, and residual branches go',
  forms: FORMS,
  declines: {
    'shared-value': 'others read what is computed inside',
    'graph-output': 'what is computed inside is an output of the graph',
    'weights-not-constant': 'weights are computed',
    'bias-not-constant': 'biases are computed',
    'uneven-average': 'an average pool divides by fewer elements at the border',
    'no-map': 'a layer is no convolution, or its channels are not known',
    sizes: 'parts that are added up differ in stride, or may differ in size',
    'too-large': 'composing the kernels would take too long',
    'not-float32': 'the weights are not float32',
    'unknown-size': 'the sizes of the maps are not known',
    dearer: 'one convolution would take more multiply-accumulates',
    cropped: 'the middle of the kernel begins inside of the map',
  },
  find,
};

function find(graph: Graph, facts: Facts): FoundBlocks<DepthRefusal> {
  const places = new Map(graph.nodes().map((node, place) => [node, place]));
  const { segments, refusals } = depthSegments(graph, facts);
  const proposals: BlockProposal[] = residualBranches(graph, facts).map(dropProposal);
  const declined: BlockDecline<DepthRefusal>[] = [...refusals].map(([block, code]) => ({
    block,
    form: undefined,
    code,
  }));
  for (const segment of segments) {
    const own = widthsOf(segment);
    const whole = depthMap(segment, facts, { read: 'sizes', within: Math.max(...own) + MARGIN });
    if (isRefusal(whole)) {
      declined.push({ block: firstOf(segment), form: undefined, code: whole.refused });
      continue;
    }
    for (const [width, kernel] of kernelsOf(segment)) {
      const [block, form] = [firstOf(segment), formOf(segment, width)];
      const refusal = refusalOf(segment, middleOf(whole, kernel), facts);
      if (refusal) declined.push({ block, form, code: refusal.refused });
      else proposals.push(mergeProposal(segment, { form, kernel }, facts));
    }
  }
  return { proposals: proposals.sort((a, b) => (places.get(a.block) ?? 0) - (places.get(b.block) ?? 0)), declined };
}

function firstOf({ convs, input }: DepthSegment): Node {
  const [first] = convs;
  invariant(first, `no convolution reads ${input.name}`);
  return first;
}

const sumsIn = ({ steps }: DepthSegment): number => steps.filter(({ kind }) => kind === 'sum').length;

const formOf = (segment: DepthSegment, width: Width): string =>
  `${segment.convs.length}${sumsIn(segment) > 0 ? '-folded' : ''}${WIDTHS[width]}`;

/** The widest kernel of its convolutions, per axis. */
function widthsOf({ convs }: DepthSegment): number[] {
  const kernels = convs.map((conv) => conv.inputs[1]?.constant?.dims.slice(2) ?? []);
  return (kernels[0] ?? []).map((_, axis) => Math.max(...kernels.map((kernel) => kernel[axis] ?? 1)));
}

/**
 * The kernels that may stand for a segment. A point only for one residual block: where no stream carries what is around its error was 1.5 to
 * 9 times as large, and several blocks lose less with a wide kernel for one more of them.
 */
function kernelsOf(segment: DepthSegment): ReadonlyMap<Width, readonly number[]> {
  const own = widthsOf(segment);
  const hasPoint = sumsIn(segment) === 1 && own.some((k) => k > 1);
  return new Map<Width, readonly number[]>([['own', own], ...(hasPoint ? [['point', own.map(() => 1)] as const] : [])]);
}

function refusalOf(
  { convs, output }: DepthSegment,
  map: ConvMap | undefined,
  facts: Facts,
): Refusal<DepthRefusal> | undefined {
  const positions = facts.assumed(output);
  if (!map) return refuse('cropped');
  if (!positions) return refuse('unknown-size');
  if (map.dtype !== 'float32') return refuse('not-float32');
  const before = convs.reduce((sum, conv) => sum + facts.macs(conv), 0);
  const macs = (macsPerPosition(map) * elementCount(positions)) / map.outputs;
  return macs > before ? refuse('dearer', { macs, before }) : undefined;
}

interface MergeForm {
  readonly form: string;
  readonly kernel: readonly number[];
}

const mergeProposal = (segment: DepthSegment, { form, kernel }: MergeForm, facts: Facts): BlockProposal => ({
  form,
  block: firstOf(segment),
  nodes: segment.steps.map(({ node }) => node),
  apply: () => ({ layers: [merge(segment, kernel, facts)], kept: new Map() }),
});

function merge(segment: DepthSegment, taps: readonly number[], facts: Facts): Node {
  const whole = depthMap(segment, facts, { read: 'all', within: Math.max(...widthsOf(segment)) + MARGIN });
  const map = isRefusal(whole) ? undefined : middleOf(whole, taps);
  invariant(map, `${firstOf(segment).label} can no longer be merged`);
  const { output, input } = segment;
  const last = output.producer;
  invariant(last, `${output.name} is no longer computed`);
  const gone = last.inputs;
  if (isClipped(output, facts)) giveAway(output);
  const { outputs, inputs, groups, kernel, bias } = map;
  const tensors = {
    weights: Tensor.fromNumbers('float32', [outputs, inputs / groups, ...kernel], map.weights()),
    bias: bias && Tensor.fromNumbers('float32', [outputs], bias),
  };
  const made = replaceWithConv(last, input, map, tensors, nameOf(firstOf(segment)));
  removeDead(gone);
  return made;
}

const nameOf = (conv: Node): string => conv.inputs[1]?.name.replace(/[_.]weight$/, '') ?? 'conv';

/** Then the merged layer is compared with the original behind the activation, and what lies in front of it needs a name of its own. */
function isClipped(output: Value, facts: Facts): boolean {
  const reader = output.soleConsumer;
  return reader !== undefined && !output.isGraphOutput && clippingOf(reader, facts)?.source === output;
}

function giveAway(output: Value): void {
  output.graph?.rename(output, output.graph.model.uniqueName(`${output.name}_merged`));
}

const dropProposal = (branch: ResidualBranch): BlockProposal => {
  const [block = branch.sum] = branch.nodes.filter(({ opType }) => opType === 'Conv');
  return {
    form: 'drop',
    block,
    nodes: [...branch.nodes, branch.sum],
    apply: () => {
      dropBranch(branch);
      return { layers: [], kept: new Map() };
    },
  };
};
