// Folds shape computations that inference sees through: results that are known numbers become initializers, without the
// runtime; inputs that are known up to a free dimension become constants that say the same (-1, 0, 1, "to the end").
import type { Facts } from '../../analysis/facts.js';
import type { OptionTable } from '../../base/option.js';
import { intAttr } from '../../ir/attribute.js';
import { divideExactly, formatDim, isStatic, sameDim, staticDims, subDims, type Dim } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { MAX_DATA } from '../../ops/data.js';
import { DTYPES, isFloat, type DType } from '../../tensor/dtype.js';
import { elementCount, Tensor } from '../../tensor/tensor.js';
import { becomeConstants, knownNumbers, uniformNumber, usedOutputs } from '../constants.js';
import { graphOf, removeDead, replaceNode, setConstantInput } from '../edit.js';
import { defineLocalPass, type PassContext } from '../pass.js';
import { isQuantization } from '../node-kinds.js';
import { reshapeTarget } from '../reshape-target.js';

const DECLINES = {
  'graph-output':
    'The value is known ({type}), but it is an output of a graph, and an output must be computed by a node.',
  'free-dims': 'The shape [{dims}] has more free dimensions than one constant can express.',
} as const;

type Context = PassContext<OptionTable, typeof DECLINES>;
type Rule = (node: Node, ctx: Context) => boolean;

export const foldShapes = defineLocalPass({
  name: 'fold-shapes',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Replace computed shapes and other small known results by constants',
  details: `Inference carries the elements of small tensors through \`Shape\`, \`Gather\`, \`Slice\`, \`Concat\`, \`Cast\`, arithmetic and the like,
with dynamic dimensions as symbols. Where all elements of a result are known whole numbers, the result becomes an
initializer. Where a dynamic dimension remains, the operator that reads the shape often has a constant that means the
same for every size:

| operator | computed input | constant |
| --- | --- | --- |
| Reshape | \`[N, 64]\` | \`[-1, 64]\`, or \`0\` where the dimension is the input's own |
| Expand | \`[N, 64]\` of an input \`[N, 1]\` | \`[1, 64]\` |
| Slice | end \`N\` on an axis of size \`N\` | the largest integer |
| Resize | sizes \`[N, C, 2 H, 2 W]\` | scales \`[1, 1, 2, 2]\` |

Integers times 0, \`x and false\` and \`x or true\` are known whatever x is. \`CastLike\` becomes \`Cast\` when the type is
known, and \`Gather\` or \`Slice\` of a \`Shape\` becomes \`Shape\` with a range (operator set 15).
Nothing here rests on shapes that a file merely declares.`,
  options: {},
  declines: DECLINES,
  stats: {
    folded: 'known results made initializers',
    expressed: 'shape inputs made constants',
    simplified: 'nodes of shape computations replaced by simpler ones',
  },
  roots: ['*'],
  rewrite(node, ctx) {
    if (node.is('Constant') || isQuantization(node)) return false;
    if (foldKnown(node, ctx)) {
      ctx.count('folded');
      return true;
    }
    if (node.domain !== '') return false;
    const { inputs } = node;
    if (EXPRESS[node.opType]?.(node, ctx)) {
      removeDead(inputs);
      ctx.count('expressed');
      return true;
    }
    if (!SIMPLIFY[node.opType]?.(node, ctx)) return false;
    ctx.count('simplified');
    return true;
  },
});

function foldKnown(node: Node, ctx: Context): boolean {
  const known = new Map<Value, Tensor>();
  for (const value of usedOutputs(node)) {
    const tensor = knownTensor(ctx.facts, value);
    if (tensor === undefined) continue;
    if (value.isGraphOutput) ctx.decline(node, 'graph-output', { type: `${tensor.dtype}[${tensor.dims.join(',')}]` });
    else known.set(value, tensor);
  }
  if (known.size === 0) return false;
  becomeConstants(node, known);
  return true;
}

/** The tensor of a value whose elements are known whole numbers (other numbers are left to the runtime's arithmetic). */
function knownTensor(facts: Facts, value: Value): Tensor | undefined {
  const { dtype, shape, data } = facts.of(value);
  const dims = staticDims(shape);
  const numbers = staticDims(data);
  if (dtype === undefined || !isFoldable(dtype) || dims === undefined || numbers?.length !== elementCount(dims))
    return undefined;
  if (!numbers.every((number) => Number.isSafeInteger(number) && !Object.is(number, -0))) return undefined;
  const tensor = Tensor.fromNumbers(dtype, dims, numbers);
  return tensor.toNumbers().every((number, i) => number === numbers[i]) ? tensor : undefined;
}

function isFoldable(dtype: DType): boolean {
  const { kind, bits } = DTYPES[dtype];
  return kind === 'bool' || (bits >= 8 && (kind === 'int' || kind === 'uint' || kind === 'float'));
}

/** Inputs that are known up to free dimensions, by operator. */
const EXPRESS: Readonly<Record<string, Rule>> = {
  Reshape: expressReshape,
  Expand: expressExpand,
  Slice: expressSlice,
  Resize: expressSizes,
};

/** The data of input `index`, unless it is a constant already or nothing is known of it. */
function computedData(node: Node, index: number, facts: Facts): readonly Dim[] | undefined {
  const value = node.inputs[index];
  if (value === undefined || value.constant) return undefined;
  return facts.of(value).data;
}

function expressReshape(node: Node, ctx: Context): boolean {
  const data = computedData(node, 1, ctx.facts);
  const input = node.inputs[0];
  const output = node.output;
  if (!data || !input || !output) return false;
  const outShape = ctx.facts.of(output).shape;
  if (outShape?.length !== data.length) return false;
  const target = reshapeTarget(ctx.facts.of(input).shape, outShape);
  if (target === undefined) return ctx.decline(node, 'free-dims', { dims: data.map(formatDim).join(', ') });
  setConstantInput(node, 1, Tensor.int64s(target));
  if (node.int('allowzero', 0) !== 0) graphOf(node).setAttribute(node, 'allowzero', undefined);
  return true;
}

/** A size 1 in the shape of Expand leaves the input's own. */
function expressExpand(node: Node, ctx: Context): boolean {
  const data = computedData(node, 1, ctx.facts);
  const shape = node.inputs[0] && ctx.facts.of(node.inputs[0]).shape;
  if (!data || !shape) return false;
  const target = data.map((dim, i) => {
    if (isStatic(dim)) return dim;
    return sameDim(dim, shape[i - data.length + shape.length]) ? 1 : undefined;
  });
  if (!target.every((dim) => dim !== undefined))
    return ctx.decline(node, 'free-dims', { dims: data.map(formatDim).join(', ') });
  setConstantInput(node, 1, Tensor.int64s(target));
  return true;
}

/** Ends counted from the end of the axis: `N` is "to the end", and `N - 1` is -1. */
function expressSlice(node: Node, ctx: Context): boolean {
  const [input, starts, ends, axes] = node.inputs;
  if (!input || !starts || !ends || (starts.constant && ends.constant)) return false;
  const shape = ctx.facts.of(input).shape;
  const startData = ctx.facts.of(starts).data;
  const endData = ctx.facts.of(ends).data;
  const axisData = axes ? knownNumbers(ctx.facts, axes) : startData?.map((_, i) => i);
  if (!shape || !startData || !endData || axisData?.length !== startData.length || endData.length !== startData.length)
    return false;
  const steps = node.inputs[4] ? knownNumbers(ctx.facts, node.inputs[4]) : startData.map(() => 1);
  if (!steps?.every((step) => step > 0)) return false;
  const dims = axisData.map((axis) => shape[axis < 0 ? axis + shape.length : axis]);
  const newStarts = startData.map((start, i) => fromEnd(start, dims[i]));
  const newEnds = endData.map((end, i) =>
    sameDim(end, dims[i]) && !isStatic(end) ? TO_THE_END : fromEnd(end, dims[i]),
  );
  if (!newStarts.every((start) => start !== undefined) || !newEnds.every((end) => end !== undefined)) {
    return ctx.decline(node, 'free-dims', { dims: [...startData, ...endData].map(formatDim).join(', ') });
  }
  const type = ctx.facts.of(starts).dtype === 'int32' ? 'int32' : 'int64';
  if (!starts.constant) setConstantInput(node, 1, Tensor.fromNumbers(type, [newStarts.length], newStarts));
  if (!ends.constant) setConstantInput(node, 2, Tensor.fromNumbers(type, [newEnds.length], newEnds));
  return true;
}

/** Above the size of any axis, and within int32. */
const TO_THE_END = 2 ** 31 - 1;

/** A position on an axis of size `dim` as a number: -1 for `dim - 1`. Farther from the end it would differ on short axes. */
function fromEnd(position: Dim, dim: Dim | undefined): number | undefined {
  if (isStatic(position)) return position;
  return dim !== undefined && subDims(position, dim) === -1 ? -1 : undefined;
}

/** Sizes that are whole multiples of the input's dimensions are scales. */
function expressSizes(node: Node, ctx: Context): boolean {
  const data = computedData(node, 3, ctx.facts);
  const shape = node.inputs[0] && ctx.facts.of(node.inputs[0]).shape;
  if (!data || !shape || node.attribute('axes') || data.length !== shape.length) return false;
  if (node.string('keep_aspect_ratio_policy', 'stretch') !== 'stretch') return false;
  const scales = data.map((size, i) => wholeRatio(size, shape[i]));
  if (!scales.every((scale) => scale !== undefined))
    return ctx.decline(node, 'free-dims', { dims: data.map(formatDim).join(', ') });
  const graph = graphOf(node);
  const constant = ctx.model.graph.addInitializer(
    Tensor.fromNumbers('float32', [scales.length], scales),
    `${node.output?.name ?? 'resize'}_scales`,
  );
  graph.setInput(node, 3, undefined);
  graph.setInput(node, 2, constant);
  return true;
}

function wholeRatio(size: Dim, dim: Dim | undefined): number | undefined {
  const ratio = dim === undefined || dim === 0 ? undefined : divideExactly(size, dim);
  return isStatic(ratio) && ratio > 0 && Number.isInteger(ratio) ? ratio : undefined;
}

/** Nodes that have a simpler form. */
const SIMPLIFY: Readonly<Record<string, Rule>> = {
  CastLike: castLike,
  Gather: partOfShape,
  Slice: partOfShape,
  Mul: absorbed(0),
  And: absorbed(0),
  Or: absorbed(1),
};

/** x * 0, x and false, x or true: the other operand does not matter (of floats it does: infinity * 0 is NaN). */
function absorbed(element: number): Rule {
  return (node, { facts }) => {
    const { output } = node;
    if (!output || output.isGraphOutput || !node.inputs.some((value) => uniformNumber(facts, value) === element))
      return false;
    const { dtype, shape } = facts.of(output);
    const dims = staticDims(shape);
    if (!dtype || isFloat(dtype) || !dims || elementCount(dims) > MAX_DATA) return false;
    becomeConstants(
      node,
      new Map([[output, Tensor.fromNumbers(dtype, dims, Array<number>(elementCount(dims)).fill(element))]]),
    );
    return true;
  };
}

function castLike(node: Node, ctx: Context): boolean {
  const [input, like] = node.inputs;
  const dtype = like && ctx.facts.of(like).dtype;
  if (!input || !dtype) return false;
  replaceNode(node, {
    opType: 'Cast',
    inputs: [input],
    attributes: { to: intAttr(DTYPES[dtype].code), saturate: node.attribute('saturate') },
  });
  removeDead([like]);
  return true;
}

/** Consecutive elements of a shape: Shape has a range since operator set 15. */
function partOfShape(node: Node, ctx: Context): boolean {
  const shape = node.inputs[0]?.producer;
  const source = shape?.inputs[0];
  if (!shape?.is('Shape') || !source || shape.attribute('start') || shape.attribute('end')) return false;
  if (ctx.facts.site(node).opset < 15 || shape.output?.soleConsumer !== node) return false;
  const picked = node.opType === 'Gather' ? gathered(node, ctx.facts) : sliced(node, ctx.facts);
  if (picked === undefined) return false;
  const { start, end } = picked;
  const attributes = {
    ...(start === 0 ? {} : { start: intAttr(start) }),
    ...(end === undefined ? {} : { end: intAttr(end) }),
  };
  replaceNode(node, { opType: 'Shape', inputs: [source], attributes });
  removeDead([shape.output]);
  return true;
}

interface Range {
  readonly start: number;
  /** Undefined: to the end. */
  readonly end: number | undefined;
}

function gathered(node: Node, facts: Facts): Range | undefined {
  const indices = knownNumbers(facts, node.inputs[1]);
  const start = indices?.[0];
  if (start === undefined || node.inputs[1] === undefined || facts.of(node.inputs[1]).shape?.length !== 1)
    return undefined;
  if (!indices?.every((index, i) => index === start + i) || (start < 0 && start + indices.length > 0)) return undefined;
  const end = start + indices.length;
  return { start, end: end === 0 ? undefined : end };
}

function sliced(node: Node, facts: Facts): Range | undefined {
  const [start, ...moreStarts] = knownNumbers(facts, node.inputs[1]) ?? [];
  const [end] = knownNumbers(facts, node.inputs[2]) ?? [];
  const steps = node.inputs[4] ? knownNumbers(facts, node.inputs[4]) : [1];
  if (start === undefined || end === undefined || moreStarts.length > 0 || steps?.[0] !== 1) return undefined;
  return { start, end: end >= TO_THE_END ? undefined : end };
}
