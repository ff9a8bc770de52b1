// What it costs to do without a branch of a residual network, before anything is repaired: what later layers can make up for is
// about what a linear map of the stream can stand in for. So the branch is replaced by one convolution of the stream, fitted
// to what the branch adds, and what is then lost at the outputs is the estimate. (On ResNet-20 it is 0.9 to 2.3 times the loss
// after the whole repair; leaving the branch out and mending nothing gives 3 to 20 times.)
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import { residualBranch, type Join } from '../../analysis/residual-branch.js';
import { intsAttr } from '../../ir/attribute.js';
import { staticDims } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import { storedWeights, type WindowLayer } from '../../fit/patch-geometry.js';
import { momentBytes, patchMomentsSpec, type PatchMoments, type PatchMomentsSpec } from '../../fit/patch-moments.js';
import type { Moments } from '../../fit/rank-update.js';
import { refitRows } from '../../fit/refit.js';
import { matrix } from '../../linalg/matrix.js';
import { graphOf, removeDead } from '../../passes/edit.js';
import { Tensor } from '../../tensor/tensor.js';
import { benchFacts, observeValues, type QuantizationBench } from '../quantization/bench.js';
import { inParts } from './repair-plan.js';

/** A convolution from the stream to what the branch adds. */
export interface StandIn {
  readonly join: Join;
  readonly layer: WindowLayer;
}

/** Numbers of a patch up to which the kernel has 3 taps along each axis; wider streams get one of 1. */
const WIDEST = 1000;

/** What can stand in for the branch that goes with a group; undefined where there is none, or its sums have no spatial axes. */
export function standInLayers(group: ChannelGroup, facts: Facts): readonly StandIn[] | undefined {
  const joins = residualBranch(group, facts)?.joins;
  const found = joins?.flatMap((join): StandIn[] => {
    const dims = staticDims(facts.of(join.stream).shape?.slice(1));
    const { dtype } = facts.of(join.stream);
    const [channels, ...space] = dims ?? [];
    if (channels === undefined || space.length === 0 || dtype !== 'float32') return [];
    const reach = channels * 3 ** space.length <= WIDEST ? 1 : 0;
    const each = (value: number): number[] => space.map(() => value);
    const [ones, pads] = [each(1), each(reach)];
    const kernel = each(1 + 2 * reach);
    const sizes = { inputs: channels, outputs: channels, groups: 1 };
    return [
      { join, layer: { kind: 'conv', ...sizes, kernel, strides: ones, dilations: ones, begins: pads, ends: pads } },
    ];
  });
  return joins && found?.length === joins.length ? found : undefined;
}

/** Puts the stand-ins of a group in place of its branch. */
export type BranchEdit = () => void;

/** Moments that are gathered in one run. */
const MOMENT_BYTES = 192 * 2 ** 20;
/** Like that of a repair on rows it has not seen. */
const LAMBDA = 1e-2;
/** Errors of narrower layers, with nothing but their readers refitted, come down further by the whole repair than these. */
export const CAUTION = 1.5;

/**
 * Fits the stand-ins of all groups that have some, on all samples of the bench. The edits change the model in place.
 * @throws what running the model throws
 */
export async function fitStandIns(
  bench: QuantizationBench,
  groups: readonly ChannelGroup[],
  seed: number,
): Promise<ReadonlyMap<ChannelGroup, BranchEdit>> {
  const facts = benchFacts(bench);
  const wanted = groups.flatMap((group) =>
    (standInLayers(group, facts) ?? []).flatMap((standIn) => {
      const spec = specOf(standIn, bench.samples, seed);
      return spec ? [{ group, standIn, spec }] : [];
    }),
  );
  const edits = new Map<ChannelGroup, BranchEdit[]>();
  for (const part of inParts(wanted, ({ spec }) => momentBytes(spec), MOMENT_BYTES)) {
    const values = [...new Set(part.flatMap(({ standIn: { join } }) => [join.stream, join.branch]))];
    const specs = part.map(({ spec }) => spec);
    const states = await observeValues(bench, values, specs, bench.samples);
    for (const [at, { group, standIn }] of part.entries()) {
      const [moments] = (states[at] as PatchMoments).parts;
      const edit = moments && editOf(standIn, moments);
      if (edit) edits.set(group, [...(edits.get(group) ?? []), edit]);
    }
  }
  return new Map([...edits].map(([group, all]) => [group, () => all.forEach((edit) => edit())]));
}

function specOf({ join, layer }: StandIn, samples: number, seed: number): PatchMomentsSpec | undefined {
  return patchMomentsSpec(layer, [join.stream.name, join.branch.name], { samples, seed });
}

function editOf({ join, layer }: StandIn, moments: Moments): BranchEdit | undefined {
  const { columns } = moments;
  const rows = refitRows(moments, matrix(layer.outputs, columns), { lambda: LAMBDA })?.rows.data;
  if (!rows?.every(Number.isFinite)) return undefined;
  const patch = columns - 1;
  const weights = new Float64Array(layer.outputs * patch);
  const bias = new Float64Array(layer.outputs);
  for (let o = 0; o < layer.outputs; o++) {
    weights.set(rows.subarray(o * columns, o * columns + patch), o * patch);
    bias[o] = rows[o * columns + patch] ?? 0;
  }
  return () => putIn(join, layer, { weights: storedWeights(layer, weights), bias });
}

interface Parameters {
  readonly weights: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
}

function putIn({ sum, branch, stream }: Join, layer: WindowLayer, { weights, bias }: Parameters): void {
  const graph = graphOf(sum);
  const dims = [layer.outputs, layer.inputs, ...layer.kernel];
  const numbers = graph.addInitializer(Tensor.fromNumbers('float32', dims, Float64Array.from(weights)), 'stand_in');
  const constants = graph.addInitializer(
    Tensor.fromNumbers('float32', [layer.outputs], Float64Array.from(bias)),
    'stand_in_bias',
  );
  const node: Node = graph.addNode(
    {
      opType: 'Conv',
      inputs: [stream, numbers, constants],
      outputs: ['stand_in_output'],
      attributes: { pads: intsAttr([...layer.begins, ...layer.ends]) },
    },
    sum,
  );
  graph.setInput(sum, sum.inputs.indexOf(branch), node.output);
  removeDead([branch]);
}
