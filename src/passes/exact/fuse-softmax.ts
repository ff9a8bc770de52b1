// exp(x) / sum exp(x) along one axis, with or without the largest element taken off first, is Softmax.
import type { Facts } from '../../analysis/facts.js';
import { intAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { knownNumbers } from '../constants.js';
import { removeDead, replaceNode } from '../edit.js';
import { areOwned, isFloatValue } from '../expression.js';
import { defineLocalPass } from '../pass.js';

export const fuseSoftmax = defineLocalPass({
  name: 'fuse-softmax',
  category: 'exact',
  exactness: 'rounding',
  needs: [],
  summary: 'Fuse the pieces of Softmax',
  details: `\`Softmax(x) = exp(x) / sum exp(x)\` along one axis, written as Exp, ReduceSum and Div, often of \`x - max x\`, which does not change the
quotient. Before opset 13 the operator flattened all axes from its own on, so only the last axis is fused there.`,
  options: {},
  declines: {
    'shared-output': 'A value between the pieces is also read by others, or is an output of the graph.',
    axis: 'The sum runs over several axes, or before opset 13 not over the last one.',
  },
  stats: { fused: 'Softmax fused from its pieces' },
  roots: ['Div'],
  rewrite(node, ctx) {
    const exp = node.inputs[0]?.producer;
    const sum = node.inputs[1]?.producer;
    const argument = exp?.inputs[0];
    if (
      !node.is('Div') ||
      !exp?.is('Exp') ||
      !argument ||
      !sum ||
      sum.inputs[0] !== exp.output ||
      !isFloatValue(argument, ctx.facts)
    )
      return false;
    const axes = reducedAxes(sum, 'ReduceSum', ctx.facts);
    const rank = ctx.facts.of(argument).shape?.length;
    if (axes === undefined || rank === undefined) return false;
    const [axis = 0] = axes;
    const at = axis < 0 ? axis + rank : axis;
    if (axes.length !== 1 || (ctx.model.opset < 13 && at !== rank - 1)) return ctx.decline(node, 'axis');
    const shifted = withoutMaximum(argument, axes, rank, ctx.facts);
    const nodes = new Set([exp, sum, ...(shifted?.nodes ?? [])]);
    if (!areOwned(nodes, node)) return ctx.decline(node, 'shared-output');
    const { inputs } = node;
    replaceNode(node, { opType: 'Softmax', inputs: [shifted?.x ?? argument], attributes: { axis: intAttr(axis) } });
    removeDead(inputs);
    ctx.count('fused');
    return true;
  },
});

function reducedAxes(node: Node, opType: string, facts: Facts): readonly number[] | undefined {
  const axes =
    node.is(opType) && node.int('keepdims', 1) !== 0
      ? (node.ints('axes') ?? knownNumbers(facts, node.inputs[1]))
      : undefined;
  return axes && axes.length > 0 ? axes : undefined;
}

/** x, where `value` is x - max x along the same axis. */
function withoutMaximum(
  value: Value,
  axes: readonly number[],
  rank: number,
  facts: Facts,
): { readonly x: Value; readonly nodes: readonly Node[] } | undefined {
  const subtract = value.producer;
  const [x, largest] = subtract?.is('Sub') ? subtract.inputs : [];
  const maximum = largest?.producer;
  const over = maximum && reducedAxes(maximum, 'ReduceMax', facts);
  const positive = (axis: number | undefined): number => (axis !== undefined && axis < 0 ? axis + rank : (axis ?? -1));
  const same = over?.length === 1 && positive(over[0]) === positive(axes[0]);
  return subtract && x && maximum && same && maximum.inputs[0] === x ? { x, nodes: [subtract, maximum] } : undefined;
}
