// Version steps of the operators that shape, move, select and reduce: mostly attributes that became inputs.
import { intAttr } from '../../ir/attribute.js';
import type { Dim } from '../../ir/dim.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, removeNode } from '../edit.js';
import {
  attributeToInput,
  changes,
  computeFlattened,
  elementType,
  givenAttribute,
  intVector,
  outputOf,
  type Change,
  type ChangeTable,
  type StepSite,
} from './step.js';

/** A rule that makes integer lists inputs. */
function listsToInputs(...names: readonly string[]): Change {
  return (site) => names.forEach((name, i) => attributeToInput(site, name, i + 1, intVector));
}

/** Pad 11: widths and value become inputs; the value is of the element type of the data and 0 by default. */
function padsToInputs(site: StepSite): void {
  const mode = givenAttribute(site, 'mode');
  const value = givenAttribute(site, 'value');
  attributeToInput(site, 'pads', 1, (pads) => Tensor.int64s(pads.kind === 'ints' ? pads.value : []));
  if (value === undefined) return;
  const isUsed =
    value.kind === 'float' && !Object.is(value.value, 0) && (mode?.kind !== 'string' || mode.value === 'constant');
  attributeToInput(site, 'value', 2, () => (isUsed ? Tensor.scalar(elementType(site, 0), value.value) : undefined));
}

/** TopK 10: the number of elements becomes an input of one element. */
function countToInput(site: StepSite): void {
  givenAttribute(site, 'k');
  attributeToInput(site, 'k', 1, (k) => (k.kind === 'int' ? Tensor.int64s([k.value]) : undefined));
}

/** Split 18: a Split without sizes says how many parts it makes. */
function countOutputs({ node }: StepSite): void {
  if (node.inputs[1] === undefined) graphOf(node).setAttribute(node, 'num_outputs', intAttr(node.outputs.length));
}

/**
 * Softmax, LogSoftmax and Hardmax 13 work along one axis. Before, they worked on the matrix that the input is when flattened
 * at `axis`: the same where at most one of the dimensions from there on is not 1.
 */
function softmaxAlongAxis(site: StepSite): void {
  const { node, facts } = site;
  const graph = graphOf(node);
  const given = node.attribute('axis');
  const shape = node.inputs[0] && facts.of(node.inputs[0]).shape;
  const axis = given?.kind === 'reference' ? undefined : singleAxis(given?.kind === 'int' ? given.value : 1, shape);
  if (axis !== undefined) {
    graph.setAttribute(node, 'axis', intAttr(axis));
    return;
  }
  computeFlattened(site, given, (matrix) => {
    const attributes = new Map(node.attributes).set('axis', intAttr(-1));
    const outputs = [`${node.output?.name ?? node.opType}_rows`];
    return outputOf(
      graph.addNode({ opType: node.opType, name: node.name, inputs: [matrix], outputs, attributes }, node),
    );
  });
  removeNode(node);
}

/** The axis that flattening at `axis` keeps apart, when it is one; the last where all are 1. */
function singleAxis(axis: number, shape: readonly Dim[] | undefined): number | undefined {
  if (axis === -1) return -1;
  if (shape === undefined) return undefined;
  const first = axis < 0 ? axis + shape.length : axis;
  const wide = shape.flatMap((dim, i) => (i >= first && dim !== 1 ? [i] : []));
  return wide.length > 1 ? undefined : (wide[0] ?? shape.length - 1);
}

const AXES_TO_INPUT = listsToInputs('axes');

/** Reductions whose axes become an input in opset 18; an empty list of axes means all in both forms. */
const reduction = changes([11, 13], { 18: AXES_TO_INPUT });
const extremum = changes([11, 12, 13, 20], { 18: AXES_TO_INPUT });
const softmax = changes([11], { 13: softmaxAlongAxis });

export const MOVEMENT: ChangeTable = {
  ArgMax: changes([11, 12, 13]),
  ArgMin: changes([11, 12, 13]),
  Compress: changes([11]),
  Concat: changes([11, 13]),
  CumSum: changes([14]),
  DepthToSpace: changes([11, 13]),
  Expand: changes([13]),
  Flatten: changes([9, 11, 13, 21, 23, 24, 25]),
  Gather: changes([11, 13]),
  GatherElements: changes([13]),
  GatherND: changes([12, 13]),
  Hardmax: softmax,
  LogSoftmax: softmax,
  Softmax: softmax,
  Identity: changes([13, 14, 16, 19, 21, 23, 24, 25]),
  NonZero: changes([13]),
  OneHot: changes([11]),
  Pad: changes([13, 18, 19, 21, 23, 24, 25], { 11: padsToInputs }),
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ReduceMean: reduction,
  ReduceProd: reduction,
  ReduceSumSquare: reduction,
  ReduceMax: extremum,
  ReduceMin: extremum,
  ReduceSum: changes([11], { 13: AXES_TO_INPUT }),
  Reshape: changes([13, 14, 19, 21, 23, 24, 25]),
  ScatterElements: changes([13, 16, 18]),
  ScatterND: changes([13, 16, 18]),
  Shape: changes([13, 15, 19, 21, 23, 24, 25]),
  Size: changes([13, 19, 21, 23, 24, 25]),
  Slice: changes([11, 13], { 10: listsToInputs('starts', 'ends', 'axes') }),
  SpaceToDepth: changes([13]),
  Split: changes([11], { 13: listsToInputs('split'), 18: countOutputs }),
  SplitToSequence: changes([24]),
  Squeeze: changes([11, 21, 23, 24, 25], { 13: AXES_TO_INPUT }),
  Tile: changes([13]),
  TopK: changes([11, 24], { 10: countToInput }),
  Transpose: changes([13, 21, 23, 24, 25]),
  Unsqueeze: changes([11, 21, 23, 24, 25], { 13: AXES_TO_INPUT }),
};
