// Transposes that follow one another are one Transpose, with whatever only adds, drops or moves axes of size 1 between,
// before or after them taken in where the rank stays.
import type { Facts } from '../../analysis/facts.js';
import { intsAttr } from '../../ir/attribute.js';
import { sameDims, type Dim } from '../../ir/dim.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { bypass, removeDead, replaceNode } from '../edit.js';
import {
  composePermutations,
  isIdentityPermutation,
  isReshaping,
  longAxes,
  permutationOf,
  permutationTo,
} from '../element-order.js';
import { defineLocalPass } from '../pass.js';

/** What two nodes in a row amount to: a Transpose of `source`. */
interface Merged {
  readonly source: Value;
  readonly perm: readonly number[];
}

export const mergeTransposes = defineLocalPass({
  name: 'merge-transposes',
  category: 'exact',
  exactness: 'exact',
  needs: [],
  summary: 'Merge neighbouring Transposes, and those with reshaping nodes that only move axes of size 1',
  details: `Transpose p1, then Transpose p2 is one Transpose with \`perm[i] = p1[p2[i]]\`; where that is the identity, none. A Reshape,
Squeeze or Unsqueeze next to a Transpose that only adds, drops or moves axes of size 1 is taken into the permutation when
the two together keep the rank (\`[N,C,1,W]\` transposed to \`[N,1,W,C]\`, then reshaped to \`[N,W,C,1]\`, is one permutation).`,
  options: {},
  declines: { shared: 'The Transpose before it has other readers, so it would stay.' },
  stats: { merged: 'Transposes merged', removed: 'pairs of Transposes that undo each other removed' },
  roots: ['Transpose', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten'],
  rewrite(node, ctx) {
    const { facts } = ctx;
    const before = node.inputs[0]?.producer;
    if (node.domain !== '' || !before) return false;
    const merged =
      node.opType === 'Transpose' ? aroundTranspose(node, before, facts) : reshapedTranspose(node, before, facts);
    if (merged === undefined) return false;
    if (isReshaping(node) && before.output?.soleConsumer !== node) return ctx.decline(node, 'shared');
    const { inputs } = node;
    const isUndone = isIdentityPermutation(merged.perm);
    if (!isUndone)
      replaceNode(node, { opType: 'Transpose', inputs: [merged.source], attributes: { perm: intsAttr(merged.perm) } });
    else if (!bypass(node, merged.source)) replaceNode(node, { opType: 'Identity', inputs: [merged.source] });
    removeDead(inputs);
    ctx.count(isUndone ? 'removed' : 'merged');
    return true;
  },
});

/** Transpose after Transpose, or after a node that moves axes of size 1. */
function aroundTranspose(node: Node, before: Node, facts: Facts): Merged | undefined {
  const source = before.inputs[0];
  const perm = permutationOf(node, facts);
  if (!source || !perm) return undefined;
  const first = permutationOf(before, facts);
  if (first) return { source, perm: composePermutations(first, perm) };
  const shapes = shapesAround(before, node, facts);
  if (!shapes || !isReshaping(before)) return undefined;
  const between = before.output && facts.of(before.output).shape;
  if (!between || !sameDims(lengths(shapes.from), lengths(between))) return undefined;
  const places = longAxes(between);
  const axes = longAxes(shapes.from);
  const order = perm.flatMap((axis) => (places.includes(axis) ? [axes[places.indexOf(axis)] ?? 0] : []));
  return withSource(source, permutationTo(shapes.from, order, shapes.to));
}

/** A node that moves axes of size 1 after a Transpose. */
function reshapedTranspose(node: Node, before: Node, facts: Facts): Merged | undefined {
  const source = before.inputs[0];
  const perm = permutationOf(before, facts);
  const shapes = shapesAround(before, node, facts);
  const between = before.output && facts.of(before.output).shape;
  if (!source || !perm || !shapes || !between || !sameDims(lengths(between), lengths(shapes.to))) return undefined;
  return withSource(
    source,
    permutationTo(
      shapes.from,
      perm.filter((axis) => shapes.from[axis] !== 1),
      shapes.to,
    ),
  );
}

function shapesAround(
  before: Node,
  node: Node,
  facts: Facts,
): { readonly from: readonly Dim[]; readonly to: readonly Dim[] } | undefined {
  const from = before.inputs[0] && facts.of(before.inputs[0]).shape;
  const to = node.output && facts.of(node.output).shape;
  return from && to ? { from, to } : undefined;
}

/** Sizes of the axes longer than 1. */
function lengths(shape: readonly Dim[]): Dim[] {
  return shape.filter((dim) => dim !== 1);
}

function withSource(source: Value, perm: readonly number[] | undefined): Merged | undefined {
  return perm && { source, perm };
}
