// A Concat of Concats along one axis is one Concat; a Split that takes a Concat apart again gives its inputs.
import type { Facts } from '../../analysis/facts.js';
import type { OptionTable } from '../../base/option.js';
import { sameDim } from '../../ir/dim.js';
import { canReplace } from '../../ir/graph.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { axisOf } from '../../ops/inputs.js';
import { graphOf, removeDead, removeNode, replaceNode } from '../edit.js';
import { defineLocalPass, type PassContext } from '../pass.js';

const DECLINES = {
  shared: 'A Concat that it joins has other readers, so it would stay.',
  'graph-output': 'A part of the Split gives the output of a graph its name.',
} as const;

type Context = PassContext<OptionTable, typeof DECLINES>;

export const mergeConcats = defineLocalPass({
  name: 'merge-concats',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge a Concat of Concats, and drop a Split that undoes a Concat',
  details: `A Concat that reads another along the same axis, and is its only reader, reads what that one reads. A Split whose parts have
the sizes of the inputs of the Concat before it gives those inputs.`,
  options: {},
  declines: DECLINES,
  stats: { merged: 'Concats merged into the next', undone: 'Splits that undo a Concat removed' },
  roots: ['Concat', 'Split'],
  rewrite(node, ctx) {
    if (node.domain !== '') return false;
    return node.opType === 'Concat' ? mergeInputs(node, ctx) : undoConcat(node, ctx);
  },
});

function mergeInputs(node: Node, ctx: Context): boolean {
  const axis = axisIn(node, ctx.facts);
  const inner = node.inputs.map((value) => {
    const before = value?.producer;
    return before?.is('Concat') && axisIn(before, ctx.facts) === axis ? before : undefined;
  });
  const own = inner.map((concat) =>
    concat?.output?.slots.size === 1 && !concat.output.isGraphOutput ? concat : undefined,
  );
  if (own.every((concat) => concat === undefined))
    return inner.some((concat) => concat !== undefined) && ctx.decline(node, 'shared');
  const { inputs } = node;
  replaceNode(node, {
    opType: 'Concat',
    inputs: inputs.flatMap((value, i) => own[i]?.inputs ?? [value]),
    attributes: node.attributes,
  });
  removeDead(inputs);
  ctx.count('merged', new Set(own.filter((concat) => concat !== undefined)).size);
  return true;
}

/** The axis counted from the front where the rank is known, else as written. */
function axisIn(node: Node, facts: Facts): number {
  const axis = node.int('axis', node.opType === 'Split' ? 0 : 1);
  const rank = node.output && facts.of(node.output).shape?.length;
  return rank === undefined ? axis : (axisOf(axis, rank) ?? axis);
}

function undoConcat(node: Node, ctx: Context): boolean {
  const concat = node.inputs[0]?.producer;
  if (!concat?.is('Concat') || concat.inputs.length !== node.outputs.length) return false;
  const axis = axisIn(node, ctx.facts);
  if (axis < 0 || axis !== axisIn(concat, ctx.facts)) return false;
  const pairs = node.outputs.flatMap((part, i): [Value, Value][] => {
    const input = concat.inputs[i];
    return part && input ? [[part, input]] : [];
  });
  if (!pairs.every(([part, input]) => sameSize(part, input, axis, ctx.facts))) return false;
  const used = pairs.filter(([part]) => !part.isUnused);
  const named = used.filter(([part]) => part.isGraphOutput).map(([, input]) => input);
  // One value cannot bear the names of two outputs.
  if (new Set(named).size < named.length || !used.every(([part, input]) => canReplace(part, input)))
    return ctx.decline(node, 'graph-output');
  const graph = graphOf(node);
  const { inputs } = node;
  for (const [part, input] of used) graph.replaceUses(part, input);
  removeNode(node);
  removeDead(inputs);
  ctx.count('undone');
  return true;
}

function sameSize(part: Value, input: Value, axis: number, facts: Facts): boolean {
  return sameDim(facts.of(part).shape?.[axis], facts.of(input).shape?.[axis]);
}
