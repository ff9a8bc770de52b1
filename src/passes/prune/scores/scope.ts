// Over which units scores are compared: within each group, over all groups, or over groups that are built alike
// (isomorphic groups, Fang 2024). Raw scores of different layers differ in scale; `normalize` divides them by their own
// layer's mean magnitude (mean |s|) or root mean square (their L2 norm over the square root of the width).
import type { ChannelGroup } from '../../../analysis/channel-group.js';
import type { Node } from '../../../ir/node.js';

export type Normalization = 'none' | 'mean' | 'l2';

export type Scope =
  | { readonly over: 'group' }
  | { readonly over: 'all'; readonly normalize: Normalization }
  | { readonly over: 'isomorphic'; readonly normalize: Normalization };

export interface ScoredGroup {
  readonly group: ChannelGroup;
  readonly values: Float64Array;
}

export interface RankedUnit {
  readonly group: ChannelGroup;
  readonly unit: number;
  /** As it was compared. */
  readonly score: number;
}

export interface SelectOptions {
  /** Part of the units of each ranking that leaves, rounded down. */
  readonly share: number;
  /** Units that every group keeps; default 1. */
  readonly least?: number;
}

/** Units that are compared with each other, lowest first. Equal scores: by group, then by unit, so that there is no chance. */
export function rankUnits(groups: readonly ScoredGroup[], scope: Scope): RankedUnit[][] {
  const classes = new Map<string, ScoredGroup[]>();
  for (const [at, scored] of groups.entries()) {
    const key = scope.over === 'all' ? '' : scope.over === 'group' ? String(at) : signature(scored.group);
    const own = classes.get(key) ?? [];
    classes.set(key, [...own, scored]);
  }
  const normalize = scope.over === 'group' ? 'none' : scope.normalize;
  return [...classes.values()].map((members) =>
    members
      .flatMap(({ group, values }) => {
        const scale = scaleOf(values, normalize);
        return Array.from(values, (value, unit) => ({ group, unit, score: value / scale }));
      })
      // Sorting is stable: equals stay as they are.
      .toSorted((a, b) => a.score - b.score),
  );
}

/** By group, the units of the lowest scores, ascending. A unit that its group must keep does not make room for another. */
export function selectLowest(
  rankings: readonly (readonly RankedUnit[])[],
  { share, least = 1 }: SelectOptions,
): Map<ChannelGroup, number[]> {
  const selected = new Map<ChannelGroup, number[]>();
  for (const ranking of rankings) {
    // 0.3 of 10 is 3, whatever 0.3 * 10 is in binary.
    for (const { group, unit } of ranking.slice(0, Math.floor(ranking.length * share + 1e-9))) {
      const units = selected.get(group) ?? [];
      if (group.width - units.length > least) selected.set(group, [...units, unit]);
    }
  }
  for (const units of selected.values()) units.sort((a, b) => a - b);
  return selected;
}

function scaleOf(values: Float64Array, normalize: Normalization): number {
  if (normalize === 'none' || values.length === 0) return 1;
  const sum = values.reduce((all, x) => all + (normalize === 'mean' ? Math.abs(x) : x * x), 0) / values.length;
  const scale = normalize === 'mean' ? sum : Math.sqrt(sum);
  return scale > 0 ? scale : 1;
}

/** Groups of one signature consist of the same operators, used the same way: kernels, strides and groups of layers count. */
export function signature({ members, makers, readers }: ChannelGroup): string {
  const passed = new Set<Node>();
  for (const { value } of members) {
    if (value.producer) passed.add(value.producer);
    for (const node of value.consumers()) passed.add(node);
  }
  const roles = new Map<Node, string>();
  for (const node of makers) roles.set(node, 'maker');
  for (const { node } of readers) roles.set(node, `${roles.get(node) ?? ''} reader`);
  return [...passed]
    .map((node) => `${roles.get(node) ?? ''} ${node.domain}.${node.opType} ${geometryOf(node)}`)
    .toSorted()
    .join('\n');
}

function geometryOf(node: Node): string {
  const weights = node.inputs[1]?.constant;
  const kernel = node.ints('kernel_shape') ?? weights?.dims.slice(2) ?? [];
  const isDepthwise = node.int('group', 1) > 1;
  return `${kernel.join('x')} ${(node.ints('strides') ?? []).join('x')} ${isDepthwise ? 'grouped' : ''}`;
}
