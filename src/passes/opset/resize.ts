// Version steps of Upsample and Resize. Until opset 10 they map output pixel i to i/scale (asymmetric); nearest takes the pixel
// at or before that place where it enlarges, at or behind it where it shrinks (ONNX Runtime; the ONNX test of Resize 10).
import { stringAttr } from '../../ir/attribute.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { knownNumbers } from '../constants.js';
import { graphOf, replaceNode } from '../edit.js';
import {
  attributeToInput,
  changes,
  constantInput,
  givenAttribute,
  refusal,
  replaceInput,
  type ChangeTable,
  type StepSite,
} from './step.js';

/** Upsample 9: the scales become an input. */
function scalesToInput(site: StepSite): void {
  const scales = givenAttribute(site, 'scales');
  const numbers = scales?.kind === 'floats' ? scales.value : [];
  attributeToInput(site, 'scales', 1, () => Tensor.fromNumbers('float32', [numbers.length], numbers));
}

/** Opset 10: Resize takes the place of Upsample. */
function upsampleToResize({ node, enlarging }: StepSite): void {
  enlarging.add(replaceNode(node, { opType: 'Resize', inputs: node.inputs, attributes: node.attributes }));
}

/** Resize 11: what was implied has names; the region of interest comes between data and scales. */
function nameCoordinates(site: StepSite): void {
  const { node } = site;
  const graph = graphOf(node);
  const mode = givenAttribute(site, 'mode');
  const scales = node.inputs[1];
  if (mode?.kind !== 'string' || mode.value === 'nearest')
    graph.setAttribute(node, 'nearest_mode', stringAttr(nearestMode(site)));
  graph.setAttribute(node, 'coordinate_transformation_mode', stringAttr('asymmetric'));
  // Optional since 13.
  graph.setInput(
    node,
    1,
    site.target < 13 ? constantInput(site, Tensor.fromNumbers('float32', [0], []), 'roi') : undefined,
  );
  graph.setInput(node, 2, scales);
}

function nearestMode(site: StepSite): 'floor' | 'ceil' {
  if (site.enlarging.has(site.node)) return 'floor';
  const scales = knownNumbers(site.facts, site.node.inputs[1]) ?? site.node.inputs[1]?.constant?.toNumbers();
  if (scales === undefined)
    throw refusal(site, 'its scales are not known, and it rounds otherwise where it shrinks than where it enlarges');
  const shrinks = scales.some((scale) => scale < 1);
  const enlarges = scales.some((scale) => scale > 1);
  if (shrinks && enlarges)
    throw refusal(site, 'it enlarges along one axis and shrinks along another, and rounds otherwise there');
  return shrinks ? 'ceil' : 'floor';
}

/**
 * Resize 13: inputs that are not meant are left out instead of empty, and `tf_half_pixel_for_nn` is gone:
 * floor((i + 1/2)/scale) is (i + 1/2)/scale - 1/2 rounded half up.
 */
function leaveOutEmpty(site: StepSite): void {
  const { node } = site;
  const graph = graphOf(node);
  for (const index of [1, 2, 3]) if (isEmpty(node.inputs[index])) replaceInput(site, index, undefined);
  const coordinates = givenAttribute(site, 'coordinate_transformation_mode');
  if (coordinates?.kind !== 'string' || coordinates.value !== 'tf_half_pixel_for_nn') return;
  const mode = givenAttribute(site, 'mode');
  const rounding = givenAttribute(site, 'nearest_mode');
  const isNearest = mode?.kind !== 'string' || mode.value === 'nearest';
  if (!isNearest || rounding?.kind !== 'string' || rounding.value !== 'floor')
    throw refusal(site, 'it has no mode "tf_half_pixel_for_nn" any more');
  graph.setAttribute(node, 'coordinate_transformation_mode', stringAttr('half_pixel'));
  graph.setAttribute(node, 'nearest_mode', stringAttr('round_prefer_ceil'));
}

function isEmpty(value: Value | undefined): boolean {
  return value?.constant?.size === 0;
}

export const RESIZE: ChangeTable = {
  Upsample: changes([], { 9: scalesToInput, 10: upsampleToResize }),
  Resize: changes([18, 19], { 11: nameCoordinates, 13: leaveOutEmpty }),
};
