// Removes units of channel groups from a model: weights are sliced along every axis along which the units lie, and
// operators that speak of widths are told the new ones. What comes out equals the model before with the removed units
// set to zero wherever a layer sums over them. Where all units of a group leave that lies in the branch of a residual sum, the
// branch goes: the model then equals the one before with zeros in place of what the branch adds.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import { createFacts } from '../../analysis/inference.js';
import { residualBranch, type Join } from '../../analysis/residual-branch.js';
import { isStatic, type Dim } from '../../ir/dim.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { opKey } from '../../ops/registry.js';
import type { Tensor } from '../../tensor/tensor.js';
import { slicedAlong } from '../channel-lane.js';
import { bypass, graphOf, removeDead, setConstantInput } from '../edit.js';
import {
  cutsOf,
  groupRefusal,
  losesAll,
  nodesAt,
  type Cuts,
  type RemovalRefusal,
  type Removals,
} from './remove-units-cuts.js';
import { MENDS, type CutSite, type Edit } from './remove-units-operators.js';

export interface RemovalOutcome {
  /** Groups that lost their units, in the order given. */
  readonly removed: readonly ChannelGroup[];
  /** Groups of which nothing was removed. */
  readonly refused: ReadonlyMap<ChannelGroup, RemovalRefusal>;
}

type Refusals = Map<ChannelGroup, RemovalRefusal>;

/**
 * Removes the given units (indices within each group) of all `removals` together. A group whose removal is not possible,
 * alone or beside the others, keeps all of its units; the others lose theirs. Groups and facts of the model are void
 * afterwards: they must be computed anew. All units can leave a group with a `residualBranch`.
 * @throws InternalError invariant, when a unit is not one of its group
 */
export function removeUnits(model: Model, facts: Facts, removals: Removals): RemovalOutcome {
  const refused: Refusals = new Map();
  let left = removals;
  while (left.size > 0) {
    const found = attempt(model, facts, left);
    if (found.size === 0) break;
    for (const [group, refusal] of found) refused.set(group, refusal);
    left = new Map([...left].filter(([group]) => !found.has(group)));
  }
  return { removed: [...left.keys()], refused };
}

/** Removes all of `removals`, or nothing: then says which groups are in the way. */
function attempt(model: Model, facts: Facts, removals: Removals): Refusals {
  const refused: Refusals = new Map();
  const refuse = (refusal: RemovalRefusal, groups: Iterable<ChannelGroup>): void => {
    for (const group of groups) if (!refused.has(group)) refused.set(group, refusal);
  };
  for (const [group, units] of removals) {
    const refusal = groupRefusal(group, units, facts);
    if (refusal) refuse(refusal, [group]);
  }
  if (refused.size > 0) return refused;
  const whole = [...removals].filter(([group, units]) => losesAll(group, units));
  const branches = new Map(whole.map(([group]) => [group, residualBranch(group, facts)]));
  const cuts = cutsOf(new Map([...removals].filter(([group]) => !branches.has(group))), facts, refuse);
  const edits = new Map<Node, readonly Edit[]>();
  for (const [node, groups] of nodesAt(cuts)) {
    const mended = MENDS[opKey(node.opType, node.domain)]?.(siteOf(node, facts, cuts)) ?? [];
    if (typeof mended === 'string') refuse({ code: mended, at: node.label }, groups);
    else edits.set(node, mended);
  }
  if (refused.size > 0) return refused;
  const sizes = sizesOf(model, facts);
  const before = model.journal.mark();
  for (const [value, axes] of cuts) cutValue(value, axes);
  for (const [node, changes] of edits) for (const edit of changes) carryOut(node, edit);
  for (const value of wrongSizes(sizes, cuts, createFacts(model)))
    refuse(
      { code: 'computed-size', at: value.producer?.label ?? value.name },
      groupsOf(cuts, value) ?? removals.keys(),
    );
  for (const [group, branch] of branches)
    for (const join of branch?.joins ?? [])
      if (!leaveOut(join)) refuse({ code: 'all-units', at: join.sum.label }, [group]);
  if (refused.size > 0) model.journal.seek(before);
  return refused;
}

/** Makes a sum pass on its stream, and removes the branch. False when that is not possible. */
function leaveOut({ sum, branch, stream }: Join): boolean {
  // A branch within this one may have taken the sum along.
  if (sum.isRemoved) return true;
  if (!bypass(sum, stream)) return false;
  removeDead([branch]);
  return true;
}

function siteOf(node: Node, facts: Facts, cuts: Cuts): CutSite {
  const cutAt = (value: Value | undefined, axis: number) => value && cuts.get(value)?.get(axis);
  const dimsOf = (value: Value | undefined) => value && (value.constant?.dims ?? facts.of(value).shape);
  return {
    node,
    op: facts.site(node),
    inputCut: (slot, axis) => cutAt(node.inputs[slot], axis),
    outputCut: (slot, axis) => cutAt(node.outputs[slot], axis),
    inputDims: (slot) => dimsOf(node.inputs[slot]),
    outputDims: (slot) => dimsOf(node.outputs[slot]),
  };
}

type AxisCuts = Cuts extends ReadonlyMap<Value, infer A> ? A : never;

/** Slices an initializer; of other values, the declared shape is made to fit. */
function cutValue(value: Value, axes: AxisCuts): void {
  const { graph, type, constant, initializer } = value;
  if (graph === undefined) return;
  if (constant && initializer) {
    const left = [...axes].reduce((rest: Tensor, [axis, { kept }]) => slicedAlong(rest, axis, kept), constant);
    graph.setInitializer(value, { kind: 'dense', tensor: left });
  }
  if (type?.kind !== 'tensor' || type.shape === undefined) return;
  const shape = type.shape.map((dim, axis) => axes.get(axis)?.kept.length ?? dim);
  graph.setType(value, { ...type, shape });
}

function carryOut(node: Node, edit: Edit): void {
  if ('attribute' in edit) {
    graphOf(node).setAttribute(node, edit.attribute, edit.value);
    return;
  }
  const before = node.inputs[edit.input];
  setConstantInput(node, edit.input, edit.tensor);
  // Nodes that computed the operand may have no reader left.
  if (before?.producer) removeDead([before]);
}

/** Every value that nodes make, with its dims. */
function sizesOf(model: Model, facts: Facts): Map<Value, readonly Dim[] | undefined> {
  const values = [...model.allNodes()].flatMap((node) => node.outputs);
  return new Map(values.flatMap((value) => (value ? [[value, facts.of(value).shape] as const] : [])));
}

/** Values that do not have the size that should be left of them: something still speaks of the old one. */
function wrongSizes(before: ReturnType<typeof sizesOf>, cuts: Cuts, facts: Facts): Value[] {
  return [...before].flatMap(([value, dims]) => {
    if (value.graph === undefined || dims === undefined) return [];
    const after = facts.of(value).shape;
    const isRight = dims.every((dim, axis) => {
      const cut = cuts.get(value)?.get(axis);
      return cut
        ? after?.[axis] === cut.kept.length
        : !isStatic(dim) || !isStatic(after?.[axis]) || after[axis] === dim;
    });
    return isRight ? [] : [value];
  });
}

function groupsOf(cuts: Cuts, value: Value): Set<ChannelGroup> | undefined {
  const axes = cuts.get(value);
  return axes && new Set([...axes.values()].flatMap(({ groups }) => [...groups]));
}
