// The model that removal is compared with: the same units are there, but layers that sum over them read zeros; of a branch
// that goes with all its units, the sum reads zeros.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import { residualBranch, type Join } from '../../analysis/residual-branch.js';
import { invariant } from '../../base/errors.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { Tensor } from '../../tensor/tensor.js';
import { losesAll } from './remove-units-cuts.js';

interface Masked {
  readonly node: Node;
  readonly slot: number;
  readonly axis: number;
  readonly indices: Set<number>;
}

/**
 * Multiplies what the readers of the groups read by 0 where a unit is to go, and by 1 elsewhere. Needs opset 7.
 * @throws InternalError invariant where a reader has no known size along the axis
 */
export function maskUnits(facts: Facts, removals: ReadonlyMap<ChannelGroup, readonly number[]>): void {
  const masks = new Map<string, Masked>();
  const numbers = new Map<Node, number>();
  for (const [group, units] of removals) {
    if (losesAll(group, units)) {
      for (const join of residualBranch(group, facts)?.joins ?? []) maskBranch(join, facts);
      continue;
    }
    for (const { node, slot, axis } of group.readers) {
      const number = numbers.get(node) ?? numbers.size;
      numbers.set(node, number);
      const key = [number, slot, axis].join();
      const mask = masks.get(key) ?? { node, slot, axis, indices: new Set<number>() };
      masks.set(key, mask);
      const read = group.members.filter((member) => member.value === node.inputs[slot] && member.axis === axis);
      const indices = read.flatMap((member) => units.flatMap((unit) => member.indices[unit] ?? []));
      for (const index of indices) mask.indices.add(index);
    }
  }
  const shapes = [...masks.values()].map((mask) => ({ mask, ...readAt(mask, facts) }));
  for (const { mask, value, size, rank, dtype } of shapes) {
    const graph = mask.node.graph;
    if (!graph || mask.indices.size === 0) continue;
    const dims = Array.from({ length: rank }, (_, axis) => (axis === mask.axis ? size : 1));
    const ones = Array.from({ length: size }, (_, index) => (mask.indices.has(index) ? 0 : 1));
    const constant = graph.addInitializer(Tensor.fromNumbers(dtype, dims, ones), 'mask');
    // A second mask of the same slot stands behind the first.
    const source = mask.node.inputs[mask.slot] ?? value;
    const product = graph.addNode({ opType: 'Mul', inputs: [source, constant], outputs: ['masked'] }, mask.node);
    graph.setInput(mask.node, mask.slot, product.output);
  }
}

function maskBranch({ sum, branch }: Join, facts: Facts): void {
  const { dtype } = facts.of(branch);
  const slot = sum.inputs.indexOf(branch);
  const { graph } = sum;
  if (!graph || dtype === undefined || slot < 0) return;
  const zero = graph.addInitializer(Tensor.fromNumbers(dtype, [], [0]), 'mask');
  const product = graph.addNode({ opType: 'Mul', inputs: [branch, zero], outputs: ['masked'] }, sum);
  graph.setInput(sum, slot, product.output);
}

function readAt({ node, slot, axis }: Masked, facts: Facts) {
  const value: Value | undefined = node.inputs[slot];
  const info = value && facts.of(value);
  const size = info?.shape?.[axis];
  invariant(
    value && info?.shape && typeof size === 'number' && info.dtype,
    `input ${slot} has no known size along axis ${axis}`,
    { node: node.label },
  );
  return { value, size, rank: info.shape.length, dtype: info.dtype };
}
