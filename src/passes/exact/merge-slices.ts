// A Slice of a Slice is one Slice, and a Slice of a Concat that falls within one of the joined parts is a Slice of that
// part, or the part itself.
import type { Facts } from '../../analysis/facts.js';
import { intsAttr } from '../../ir/attribute.js';
import { isStatic, type Dim } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import type { OptionTable } from '../../base/option.js';
import { bypass, graphOf, removeDead, replaceNode } from '../edit.js';
import { defineLocalPass, type PassContext } from '../pass.js';
import { clampRange, isWholeRange, readSlice, TO_THE_END, type SliceRange } from '../slice-range.js';

const DECLINES = {
  shared: 'The Slice before it has other readers, so it would stay.',
  'same-axis': 'Both cut axis {axis}, in a way that is one cut only if the size of the axis is known.',
  'graph-output': 'It is a part of the Concat, but gives the output of a graph its name.',
} as const;

type Context = PassContext<OptionTable, typeof DECLINES>;

export const mergeSlices = defineLocalPass({
  name: 'merge-slices',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge a Slice of a Slice, and take a Slice of a Concat from the part it lies in',
  details: `Slices of different axes are one Slice. On one axis with steps of 1 they are one if the size of the axis is known, or if all
positions count from the start: \`[s1, e1)\` then \`[s2, e2)\` is \`[s1 + s2, min(e1, s1 + e2))\`. A Slice along the axis of a
Concat that lies within one part, whose place is known, reads that part directly; where it is the whole part, the Slice
goes.`,
  options: {},
  declines: DECLINES,
  stats: { merged: 'Slices merged', parts: 'Slices of a Concat taken from one of its parts' },
  roots: ['Slice'],
  rewrite(node, ctx) {
    const before = node.inputs[0]?.producer;
    if (node.domain !== '' || !before) return false;
    const ranges = positiveAxes(node, ctx.facts);
    if (!ranges) return false;
    if (before.is('Slice')) return mergeInto(node, ranges, before, ctx);
    return before.is('Concat') && takePart(node, ranges, before, ctx);
  },
});

/** The ranges of a Slice with its axes counted from the front. */
function positiveAxes(node: Node, facts: Facts): readonly SliceRange[] | undefined {
  const ranges = readSlice(facts.site(node));
  const rank = node.inputs[0] && facts.of(node.inputs[0]).shape?.length;
  const positive = ranges?.map((range) => ({
    ...range,
    axis: range.axis < 0 ? range.axis + (rank ?? Number.NaN) : range.axis,
  }));
  return positive?.every(({ axis }) => axis >= 0) ? positive : undefined;
}

function mergeInto(node: Node, ranges: readonly SliceRange[], before: Node, ctx: Context): boolean {
  const source = before.inputs[0];
  const first = positiveAxes(before, ctx.facts);
  if (!source || !first) return false;
  if (before.output?.soleConsumer !== node) return ctx.decline(node, 'shared');
  const shape = ctx.facts.of(source).shape;
  const merged = new Map(first.map((range) => [range.axis, range]));
  for (const range of ranges) {
    const earlier = merged.get(range.axis);
    const both = earlier ? composed(earlier, range, shape?.[range.axis]) : range;
    if (both === undefined) return ctx.decline(node, 'same-axis', { axis: range.axis });
    merged.set(range.axis, both);
  }
  const { inputs } = node;
  replaceSlice(
    node,
    source,
    [...merged.values()].sort((a, b) => a.axis - b.axis),
    ctx.facts,
  );
  removeDead(inputs);
  ctx.count('merged');
  return true;
}

/** `second` on what `first` leaves of an axis of size `dim`, as one range. */
function composed(first: SliceRange, second: SliceRange, dim: Dim | undefined): SliceRange | undefined {
  const { axis } = first;
  if (isWholeRange(first, dim)) return second;
  if (first.step !== 1 || second.step !== 1) return undefined;
  if (isStatic(dim)) {
    const outer = clampRange(first, dim);
    const inner = clampRange(second, outer.end - outer.start);
    return { axis, start: outer.start + inner.start, end: outer.start + inner.end, step: 1 };
  }
  if ([first.start, first.end, second.start, second.end].some((position) => position < 0)) return undefined;
  const end = second.end >= TO_THE_END ? first.end : Math.min(first.end, first.start + second.end);
  return { axis, start: first.start + second.start, end, step: 1 };
}

function takePart(node: Node, ranges: readonly SliceRange[], concat: Node, ctx: Context): boolean {
  const rank = node.inputs[0] && ctx.facts.of(node.inputs[0]).shape?.length;
  const given = concat.int('axis', 1);
  const axis = given < 0 ? given + (rank ?? Number.NaN) : given;
  const along = ranges.find((range) => range.axis === axis);
  if (!along || along.step !== 1) return false;
  const part = partOf(along, concat, axis, ctx.facts);
  if (!part) return false;
  const { inputs } = node;
  const others = ranges.filter((range) => range !== along);
  if (part.whole && others.length === 0) {
    if (!bypass(node, part.value)) return ctx.decline(node, 'graph-output');
  } else {
    const cut = part.whole ? [] : [{ axis, start: part.start, end: part.end, step: 1 }];
    replaceSlice(
      node,
      part.value,
      [...others, ...cut].sort((a, b) => a.axis - b.axis),
      ctx.facts,
    );
  }
  removeDead(inputs);
  ctx.count('parts');
  return true;
}

interface Part {
  readonly value: Value;
  readonly start: number;
  readonly end: number;
  /** The range is all of the part. */
  readonly whole: boolean;
}

/** The input of `concat` that a range of its output lies in, with the range as it is there. */
function partOf(range: SliceRange, concat: Node, axis: number, facts: Facts): Part | undefined {
  const sizes = concat.inputs.map((value) => value && facts.of(value).shape?.[axis]);
  const total = sizes.every(isStatic) ? sizes.reduce((sum, size) => sum + size, 0) : undefined;
  if (total === undefined && (range.start < 0 || range.end < 0)) return undefined;
  const { start, end } = total === undefined ? range : clampRange(range, total);
  let offset = 0;
  for (const [i, value] of concat.inputs.entries()) {
    const size = sizes[i];
    if (!value || !isStatic(size)) return undefined;
    if (start >= offset && end <= offset + size && end > start) {
      return { value, start: start - offset, end: end - offset, whole: end - start === size };
    }
    offset += size;
  }
  return undefined;
}

/** A Slice with these ranges in the place of `node`, written as its opset asks. */
function replaceSlice(node: Node, source: Value, ranges: readonly SliceRange[], facts: Facts): void {
  const list = (key: keyof SliceRange): number[] => ranges.map((range) => range[key]);
  if (facts.site(node).opset < 10) {
    const attributes = { axes: intsAttr(list('axis')), ends: intsAttr(list('end')), starts: intsAttr(list('start')) };
    replaceNode(node, { opType: 'Slice', inputs: [source], attributes });
    return;
  }
  const graph = graphOf(node);
  const name = node.output?.name ?? 'slice';
  const input = (key: keyof SliceRange, suffix: string): Value =>
    graph.addInitializer(Tensor.int64s(list(key)), `${name}_${suffix}`);
  const steps = ranges.some(({ step }) => step !== 1) ? [input('step', 'steps')] : [];
  replaceNode(node, {
    opType: 'Slice',
    inputs: [source, input('start', 'starts'), input('end', 'ends'), input('axis', 'axes'), ...steps],
  });
}
