// Removes nodes that move, repeat, cut or resize nothing: a Reshape to the shape there is, a Transpose that permutes
// nothing, Pad by zero, a Slice of everything, Resize by 1, Split into one, and a Split whose parts are joined again.
import type { Facts } from '../../analysis/facts.js';
import { sameDims } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import { axisOf, intsOf } from '../../ops/inputs.js';
import { knownNumbers, usedOutputs } from '../constants.js';
import { bypass, removeDead } from '../edit.js';
import { poolsOneElement, windowOfOne, type IdleRule } from '../idle-nodes.js';
import { defineLocalPass } from '../pass.js';
import { isWholeRange, readSlice } from '../slice-range.js';

export const removeIdleMovement = defineLocalPass({
  name: 'remove-idle-movement',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Remove nodes that move, cut, pad or resize nothing',
  details: `Reshape, Flatten, Squeeze, Unsqueeze and Expand to the shape there is (dynamic dimensions compare as symbols); Transpose
with the identity permutation; Tile by 1; Pad by 0; Slice of the whole of every axis; Resize and Upsample by 1 (not in
\`tf_crop_and_resize\` mode); Split into one part; Concat of all parts of one Split in order; MaxPool with a window of 1 and
stride 1; GlobalMaxPool of 1x1 maps; DepthToSpace and SpaceToDepth with blocks of 1.`,
  options: {},
  declines: {
    'graph-output':
      'The node gives the output of a graph its name, and its input is an input, an initializer or another output.',
  },
  stats: { removed: 'nodes that move nothing removed' },
  roots: [
    'Reshape',
    'Flatten',
    'Squeeze',
    'Unsqueeze',
    'Expand',
    'Transpose',
    'Tile',
    'Pad',
    'Slice',
    'Resize',
    'Upsample',
    'Split',
    'Concat',
    'MaxPool',
    'GlobalMaxPool',
    'DepthToSpace',
    'SpaceToDepth',
  ],
  rewrite(node, ctx) {
    if (node.domain !== '') return false;
    const source = RULES[node.opType]?.(node, ctx.facts);
    if (source === undefined || usedOutputs(node).some((value) => value !== node.output)) return false;
    const { inputs } = node;
    if (!bypass(node, source)) return ctx.decline(node, 'graph-output');
    removeDead(inputs);
    ctx.count('removed');
    return true;
  },
});

const sameShape: IdleRule = (node, facts) => {
  const [input] = node.inputs;
  return input && node.output && sameDims(facts.of(input).shape, facts.of(node.output).shape) ? input : undefined;
};

const inOrder: IdleRule = (node) => (node.ints('perm')?.every((axis, i) => axis === i) ? node.inputs[0] : undefined);

/** All elements of a list, given as attribute or input, are `element`. */
const allAre =
  (attribute: string, index: number, element: number): IdleRule =>
  (node, facts) => {
    const list = intsOf(facts.site(node), attribute, index);
    return list !== 'absent' && list?.every((item) => item === element) ? node.inputs[0] : undefined;
  };

const wholeSlice: IdleRule = (node, facts) => {
  const slice = readSlice(facts.site(node));
  const shape = node.inputs[0] && facts.of(node.inputs[0]).shape;
  return slice?.every((range) => isWholeRange(range, shape?.[range.axis < 0 ? range.axis + shape.length : range.axis]))
    ? node.inputs[0]
    : undefined;
};

/** Modes in which a scale of 1 maps every output position to the same input position. */
const ALIGNED: ReadonlySet<string> = new Set([
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
  'asymmetric',
]);

const byOne: IdleRule = (node, facts) => {
  const { opset } = facts.site(node);
  const mode = node.string('coordinate_transformation_mode', opset < 11 ? 'asymmetric' : 'half_pixel');
  if (!ALIGNED.has(mode)) return undefined;
  const scales =
    node.opType === 'Upsample' && opset < 9 ? node.floats('scales') : scaleData(node, facts, opset < 11 ? 1 : 2);
  if (scales?.length) return scales.every((scale) => scale === 1) ? node.inputs[0] : undefined;
  return opset >= 11 && node.inputs[3] && node.string('keep_aspect_ratio_policy', 'stretch') === 'stretch'
    ? sameShape(node, facts)
    : undefined;
};

function scaleData(node: Node, facts: Facts, index: number): readonly number[] | undefined {
  return knownNumbers(facts, node.inputs[index]);
}

const onePart: IdleRule = (node) => (node.outputs.length === 1 ? node.inputs[0] : undefined);

/** Concat(Split(x)) along the same axis, all parts, in order. */
const rejoined: IdleRule = (node, facts) => {
  const split = node.inputs[0]?.producer;
  const input = split?.inputs[0];
  if (!split?.is('Split') || !input || split.outputs.length !== node.inputs.length) return undefined;
  if (!split.outputs.every((part, i) => part !== undefined && part === node.inputs[i])) return undefined;
  const [axis, joined] = [split.int('axis', 0), node.int('axis', 1)];
  if (axis === joined) return input;
  const rank = facts.of(input).shape?.length;
  return rank !== undefined && axisOf(axis, rank) === axisOf(joined, rank) ? input : undefined;
};

const blocksOfOne: IdleRule = (node) => (node.int('blocksize', 0) === 1 ? node.inputs[0] : undefined);

const RULES: Readonly<Record<string, IdleRule>> = {
  Reshape: sameShape,
  Flatten: sameShape,
  Squeeze: sameShape,
  Unsqueeze: sameShape,
  Expand: sameShape,
  Transpose: inOrder,
  Tile: allAre('', 1, 1),
  Pad: allAre('pads', 1, 0),
  Slice: wholeSlice,
  Resize: byOne,
  Upsample: byOne,
  Split: onePart,
  Concat: rejoined,
  MaxPool: windowOfOne,
  GlobalMaxPool: poolsOneElement,
  DepthToSpace: blocksOfOne,
  SpaceToDepth: blocksOfOne,
};
