// Transposes and reshaping nodes on both sides of elementwise nodes meet and merge: the elementwise nodes compute in the
// layout before the first of them. Likewise, several operands of one elementwise node that were all transposed or
// reshaped alike are combined first.
import { intAttr, intsAttr, type Attribute } from '../../ir/attribute.js';
import { sameDims } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { OptionTable } from '../../base/option.js';
import { Tensor } from '../../tensor/tensor.js';
import { graphOf, removeDead, removeNode } from '../edit.js';
import { composePermutations, isIdentityPermutation, isReshaping, permutationOf } from '../element-order.js';
import { elementwiseRun, isElementwise, variableInputs, type ElementwiseRun } from '../elementwise-run.js';
import { defineLocalPass, type PassContext } from '../pass.js';
import { reshapeTarget } from '../reshape-target.js';

const DECLINES = {
  'constant-layout':
    'A constant that an elementwise node between the two reads varies along more than one axis, so it would have to be stored anew.',
  shared: 'Nothing would be saved: the first of the two has other readers and the second would stay.',
  'free-dims': 'The last shape has more free dimensions than one Reshape can express.',
} as const;

type Context = PassContext<OptionTable, typeof DECLINES>;

export const cancelViews = defineLocalPass({
  name: 'cancel-views',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge Transposes and Reshapes across elementwise nodes',
  details: `Transpose, elementwise nodes, Transpose: elementwise nodes do not care for the layout, so they move in front of the first
Transpose, and the two become one, or none when they undo each other. Constants between them are laid out anew; they may
vary along one axis (a bias per channel). Reshape, elementwise nodes, Reshape likewise, with scalar constants. When all
operands of an elementwise node or a Concat come through the same Transpose (of an elementwise node: or Reshapes between
equal shapes), one behind it replaces them. Nothing moves across QuantizeLinear and DequantizeLinear.`,
  options: {},
  declines: DECLINES,
  stats: {
    cancelled: 'pairs of views merged across elementwise nodes',
    combined: 'views of all operands replaced by one of the result',
  },
  roots: ['*'],
  rewrite(node, ctx) {
    if (node.domain !== '') return false;
    if (node.opType === 'Transpose') return cancelTransposes(node, ctx);
    if (isReshaping(node)) return cancelReshapes(node, ctx);
    return combineOperands(node, ctx);
  },
});

function cancelTransposes(node: Node, ctx: Context): boolean {
  const run = elementwiseRun(node, ctx.facts);
  const first = run?.source.producer;
  const origin = first?.inputs[0];
  const perm1 = first && permutationOf(first, ctx.facts);
  const perm2 = permutationOf(node, ctx.facts);
  if (!run || !origin || !perm1 || !perm2) return false;
  const perm = composePermutations(perm1, perm2);
  const isUndone = isIdentityPermutation(perm);
  if (!isUndone && !run.ownsSource) return ctx.decline(node, 'shared');
  const layout = (constant: Tensor): readonly number[] | undefined => movedDims(constant, perm1);
  if (!run.constants.every((value) => value.constant && layout(value.constant)))
    return ctx.decline(node, 'constant-layout');
  rebuild(node, run, origin, {
    layout,
    view: isUndone ? undefined : { opType: 'Transpose', inputs: [], attributes: { perm: intsAttr(perm) } },
  });
  ctx.count('cancelled');
  return true;
}

function cancelReshapes(node: Node, ctx: Context): boolean {
  const run = elementwiseRun(node, ctx.facts);
  const first = run?.source.producer;
  const origin = first?.inputs[0];
  if (!run || !origin || !first || !isReshaping(first) || !node.output || ctx.facts.site(node).opset < 5) return false;
  const from = ctx.facts.of(origin).shape;
  const to = ctx.facts.of(node.output).shape;
  if (!from || !to) return false;
  const isUndone = sameDims(from, to);
  if (!isUndone && !run.ownsSource) return ctx.decline(node, 'shared');
  if (!run.constants.every((value) => value.constant?.size === 1)) return ctx.decline(node, 'constant-layout');
  const target = reshapeTarget(from, to);
  if (!isUndone && !target) return ctx.decline(node, 'free-dims');
  const shape =
    isUndone || !target ? undefined : graphOf(node).addInitializer(Tensor.int64s(target), `${node.output.name}_shape`);
  rebuild(node, run, origin, {
    layout: (constant) => (constant.dims.length <= from.length ? constant.dims : []),
    view: shape && { opType: 'Reshape', inputs: [shape], attributes: {} },
  });
  ctx.count('cancelled');
  return true;
}

/** Dims of a constant of at most one long axis in the layout before a Transpose by `perm`; undefined for others. */
function movedDims(constant: Tensor, perm: readonly number[]): readonly number[] | undefined {
  const long = constant.dims.flatMap((dim, axis) => (dim === 1 ? [] : [axis]));
  const [axis] = long;
  if (axis === undefined) return constant.dims;
  const to = perm[perm.length - constant.dims.length + axis];
  if (long.length > 1 || to === undefined) return undefined;
  return perm.map((_, i) => (i === to ? constant.size : 1));
}

interface Layout {
  /** Dims of a constant operand in the new layout. */
  readonly layout: (constant: Tensor) => readonly number[] | undefined;
  /** What is left of the two views, behind the run: its inputs come after the value it views. */
  readonly view:
    | {
        readonly opType: string;
        readonly inputs: readonly Value[];
        readonly attributes: Readonly<Record<string, Attribute>>;
      }
    | undefined;
}

/** The elementwise nodes again, on `origin`, in the place of the view `node`; the old ones go. */
function rebuild(node: Node, run: ElementwiseRun, origin: Value, { layout, view }: Layout): void {
  const graph = graphOf(node);
  const { inputs, output } = node;
  let before = run.source;
  let current = origin;
  for (const [i, old] of run.nodes.entries()) {
    const isLast = i === run.nodes.length - 1;
    const [from, to] = [before, current];
    const operands = old.inputs.map((value) => (value === from ? to : value && inLayout(value, layout)));
    const copy = graph.addNode(
      {
        opType: old.opType,
        name: old.name,
        inputs: operands,
        attributes: old.attributes,
        outputs: [isLast && !view ? output : (old.output?.name ?? '')],
      },
      node,
    );
    before = old.output ?? before;
    current = copy.output ?? current;
  }
  if (view) graph.addNode({ ...view, name: node.name, inputs: [current, ...view.inputs], outputs: [output] }, node);
  removeNode(node);
  removeDead(inputs);
}

function inLayout(value: Value, layout: Layout['layout']): Value {
  const { constant, graph } = value;
  const dims = constant && layout(constant);
  if (!constant || !dims || !graph || dims.join() === constant.dims.join()) return value;
  return graph.addInitializer(constant.reshaped(dims), value.name);
}

/** All operands of `node` are views of one kind: the view moves behind the node. */
function combineOperands(node: Node, ctx: Context): boolean {
  const isConcat = node.opType === 'Concat';
  if (!(isConcat || isElementwise(node, ctx.facts)) || !node.output) return false;
  const variable = variableInputs(node);
  const views = variable.map((value) => value.producer).filter((view) => view !== undefined);
  const [view] = views;
  if (!view || views.length < 2 || views.length !== variable.length) return false;
  const isOwned = variable.every((value) => value.slots.size === 1 && !value.isGraphOutput);
  if (!isOwned) return false;
  if (view.is('Transpose')) return combineTransposes(node, views, ctx);
  return !isConcat && isReshaping(view) && variable.length === node.inputs.length && combineReshapes(node, views, ctx);
}

function combineTransposes(node: Node, views: readonly Node[], ctx: Context): boolean {
  const perms = views.map((view) => permutationOf(view, ctx.facts));
  const [perm] = perms;
  if (!perm || !perms.every((other) => other?.join() === perm.join())) return false;
  const layout = (constant: Tensor): readonly number[] | undefined => movedDims(constant, perm);
  const isConcat = node.opType === 'Concat';
  const constants = node.inputs.flatMap((value) => (value?.constant ? [value.constant] : []));
  if (isConcat ? constants.length > 0 : !constants.every(layout)) return ctx.decline(node, 'constant-layout');
  const axis = node.int('axis', 1);
  const attributes = isConcat ? { axis: intAttr(perm[axis < 0 ? axis + perm.length : axis] ?? axis) } : node.attributes;
  const operands = node.inputs.map(
    (value) => value && (value.constant ? inLayout(value, layout) : value.producer?.inputs[0]),
  );
  putBehind(
    node,
    { opType: node.opType, inputs: operands, attributes },
    { opType: 'Transpose', inputs: [], attributes: { perm: intsAttr(perm) } },
  );
  ctx.count('combined');
  return true;
}

function combineReshapes(node: Node, views: readonly Node[], ctx: Context): boolean {
  if (!views.every(isReshaping) || ctx.facts.site(node).opset < 5) return false;
  const inputShapes = views.map((view) => view.inputs[0] && ctx.facts.of(view.inputs[0]).shape);
  const outputShapes = views.map((view) => view.output && ctx.facts.of(view.output).shape);
  const [from] = inputShapes;
  const [to] = outputShapes;
  if (
    !from ||
    !to ||
    !inputShapes.every((shape) => sameDims(shape, from)) ||
    !outputShapes.every((shape) => sameDims(shape, to))
  )
    return false;
  const target = reshapeTarget(from, to);
  if (!target) return ctx.decline(node, 'free-dims');
  const shape = graphOf(node).addInitializer(Tensor.int64s(target), `${node.output?.name ?? 'reshape'}_shape`);
  const operands = node.inputs.map((value) => value?.producer?.inputs[0]);
  putBehind(
    node,
    { opType: node.opType, inputs: operands, attributes: node.attributes },
    { opType: 'Reshape', inputs: [shape], attributes: {} },
  );
  ctx.count('combined');
  return true;
}

interface Replacement {
  readonly opType: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Node['attributes'] | Readonly<Record<string, Attribute>>;
}

/** `combined`, then `view`, in the place of `node`. */
function putBehind(node: Node, combined: Replacement, view: Replacement): void {
  const graph = graphOf(node);
  const { inputs } = node;
  const inner = graph.addNode({ ...combined, name: node.name, outputs: [node.output?.name ?? ''] }, node);
  graph.addNode({ ...view, inputs: [inner.output, ...view.inputs], outputs: [node.output] }, node);
  removeNode(node);
  removeDead(inputs);
}
