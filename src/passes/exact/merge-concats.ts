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

/** Inputs up to which a value that is read twice is taken apart twice: values that double n times would be 2^n. */
const MAX_REPEATED = 64;

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
  const isAlike = (other: Node | undefined): other is Node =>
    other !== undefined && other.is('Concat') && axisIn(other, ctx.facts) === axis;
  // The last of a run takes all at once: one after the other, a run of n would list n^2/2 inputs.
  if (isAlike(node.output?.soleConsumer)) return false;
  const merged = new Set([node]);
  const inputs: (Value | undefined)[] = [];
  const pending = node.inputs.toReversed();
  let isHeld = false;
  while (pending.length > 0) {
    const value = pending.pop();
    const inner = value?.producer;
    if (!isAlike(inner)) inputs.push(value);
    else if (isReadOnlyBy(merged, value, inputs.length + pending.length)) {
      merged.add(inner);
      pending.push(...inner.inputs.toReversed());
    } else {
      isHeld = true;
      inputs.push(value);
    }
  }
  if (merged.size === 1) return isHeld && ctx.decline(node, 'shared');
  const before = node.inputs;
  replaceNode(node, { opType: 'Concat', inputs, attributes: node.attributes });
  removeDead(before);
  ctx.count('merged', merged.size - 1);
  return true;
}

/** One of `concats` is the only reader; if it reads the value twice, only while the list of inputs stays short. */
function isReadOnlyBy(concats: ReadonlySet<Node>, value: Value | undefined, listed: number): boolean {
  const [entry, other] = value?.slots ?? [];
  if (entry === undefined || other !== undefined || value?.isGraphOutput) return false;
  return concats.has(entry[0]) && (entry[1] === 1 || listed < MAX_REPEATED);
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
