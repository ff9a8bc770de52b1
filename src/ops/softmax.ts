// Softmax and its like: the shape of the input. Until opset 13 they flatten at `axis` first, which changes no shape.
import type { AxisFacts } from './axes.js';
import { axisNumbers, sameAxes } from './axis-ties.js';
import { axisOf, like, shapeOf } from './inputs.js';
import { defineOp, type CostSite, type OpRecord } from './record.js';

/** One axis is mixed; until opset 13, all from it on. */
function softmaxAxes(site: CostSite): AxisFacts | undefined {
  const rank = shapeOf(site, 0)?.length;
  const axis = rank === undefined ? undefined : axisOf(site.node.int('axis', site.opset < 13 ? 1 : -1), rank);
  if (rank === undefined || axis === undefined) return undefined;
  const ties = sameAxes(site, site.opset < 13 ? axisNumbers(rank).slice(axis) : [axis]);
  return ties && { ties };
}

const softmax = (opType: string): OpRecord =>
  defineOp({ opType, traits: { layer: 'non-tensor' }, axes: softmaxAxes, infer: (site) => [like(site)] });

export const SOFTMAX: readonly OpRecord[] = [softmax('Softmax'), softmax('LogSoftmax'), softmax('Hardmax')];
