// A Pad of a Pad is one Pad: the widths add, where both pad with the same constant or both repeat the edge.
import type { Facts } from '../../analysis/facts.js';
import { floatAttr, intsAttr, stringAttr } from '../../ir/attribute.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { axesOf, intsOf } from '../../ops/inputs.js';
import { Tensor } from '../../tensor/tensor.js';
import { uniformNumber } from '../constants.js';
import { graphOf, removeDead, replaceNode } from '../edit.js';
import { defineLocalPass } from '../pass.js';

interface Padding {
  readonly mode: string;
  /** Begin widths of all axes, then end widths. */
  readonly pads: readonly number[];
  /** What the constant mode pads with. */
  readonly value: number;
}

export const mergePads = defineLocalPass({
  name: 'merge-pads',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge a Pad of a Pad',
  details: `Widths add when both Pads use the same constant, or both repeat the edge. Reflections do not compose, and a negative width
cuts what the other Pad added, so these stay.`,
  options: {},
  declines: {
    shared: 'The Pad before it has other readers, so it would stay.',
    different: 'The two Pads differ in mode or constant, reflect, or cut.',
  },
  stats: { merged: 'Pads merged' },
  roots: ['Pad'],
  rewrite(node, ctx) {
    const before = node.inputs[0]?.producer;
    const source = before?.inputs[0];
    if (!node.is('Pad') || !before?.is('Pad') || !source) return false;
    const outer = paddingOf(node, ctx.facts);
    const inner = paddingOf(before, ctx.facts);
    if (!outer || !inner) return false;
    if (!composes(inner, outer)) return ctx.decline(node, 'different');
    if (before.output?.soleConsumer !== node) return ctx.decline(node, 'shared');
    const { inputs } = node;
    replacePad(node, source, { ...outer, pads: outer.pads.map((pad, i) => pad + (inner.pads[i] ?? 0)) }, ctx.facts);
    removeDead(inputs);
    ctx.count('merged');
    return true;
  },
});

function paddingOf(node: Node, facts: Facts): Padding | undefined {
  const site = facts.site(node);
  const pads = intsOf(site, 'pads', 1);
  const rank = node.inputs[0] && facts.of(node.inputs[0]).shape?.length;
  const value = site.opset < 11 ? node.float('value', 0) : node.inputs[2] ? uniformNumber(facts, node.inputs[2]) : 0;
  if (!Array.isArray(pads) || rank === undefined || value === undefined) return undefined;
  const given = node.inputs[3] ? intsOf(site, 'axes', 3) : 'absent';
  if (given === undefined) return undefined;
  const axes =
    given === 'absent'
      ? Array.from({ length: rank }, (_, i) => i)
      : given.map((axis) => (axis < 0 ? axis + rank : axis));
  if (axesOf(axes, rank) === undefined || pads.length !== 2 * axes.length) return undefined;
  const full = Array<number>(2 * rank).fill(0);
  axes.forEach((axis, i) => {
    full[axis] = Number(pads[i]);
    full[rank + axis] = Number(pads[axes.length + i]);
  });
  return { mode: node.string('mode', 'constant'), pads: full, value };
}

function composes(inner: Padding, outer: Padding): boolean {
  if (inner.mode !== outer.mode || [...inner.pads, ...outer.pads].some((pad) => pad < 0)) return false;
  return inner.mode === 'edge' || (inner.mode === 'constant' && Object.is(inner.value, outer.value));
}

function replacePad(node: Node, source: Value, { mode, pads, value }: Padding, facts: Facts): void {
  if (facts.site(node).opset < 11) {
    replaceNode(node, {
      opType: 'Pad',
      inputs: [source],
      attributes: { mode: stringAttr(mode), pads: intsAttr(pads), value: floatAttr(value) },
    });
    return;
  }
  const widths = graphOf(node).addInitializer(Tensor.int64s(pads), `${node.output?.name ?? 'pad'}_pads`);
  replaceNode(node, {
    opType: 'Pad',
    inputs: [source, widths, node.inputs[2]],
    attributes: { mode: stringAttr(mode) },
  });
}
