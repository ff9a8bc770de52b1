// Widths that a group may keep. Kernels work on blocks of channels: a width between two blocks costs as much as the next
// block (measured with blocks of 16: 24 channels as much as 32), and one that is no multiple of 4 more than that. What counts
// is how wide the layers really are: a group that shares an axis with others, or lies in several layers, is looked at in
// each of them.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { Facts } from '../../analysis/facts.js';
import { invariant } from '../../base/errors.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import { standInLayers } from './branch-stand-in.js';
import type { Objective } from './width-choice.js';

/** What the layers will run on. */
export interface KernelTarget {
  readonly arithmetic: 'float' | 'int8';
  /** Channels of a block of the convolutions in float: 16 with AVX-512, 8 with AVX2. Multiples of 16 suit both. */
  readonly block: 16 | 8;
}

/** `kernels`: widths that the kernels of the target like. `multiples`: of any number, 1 for every width. */
export type WidthRule =
  { readonly kind: 'kernels'; readonly target: KernelTarget } | { readonly kind: 'multiples'; readonly of: number };

/**
 * Multiples of 4, which no kernel dislikes, where the size of the file counts; else widths that kernels like: fewer
 * multiplications that take as long are of no use.
 */
export function ruleFor(objective: Objective['kind'], target: KernelTarget): WidthRule {
  return objective === 'params' || objective === 'size'
    ? { kind: 'multiples', of: FINEST }
    : { kind: 'kernels', target };
}

export interface LevelOptions {
  readonly rule: WidthRule;
  /** Widths at most, the full one included; of more, some evenly spread ones stay. Default 24. */
  readonly most?: number;
  /** Part of the width that is kept at least; default 0, which is one unit. */
  readonly leastShare?: number;
  /** Whether a group may lose all of its units where a branch of a residual sum goes with them; default `stay`. */
  readonly branches?: 'may-go' | 'stay';
}

const MOST = 24;
/** Of as many widths a choice can be made. */
const ENOUGH = 4;
/** Of integers: what depthwise layers take, and below what nothing is gained. */
const DEPTHWISE_INT8 = 16;
const LEAST_INT8 = 16;
const FINEST = 4;

/** Units that `group` may keep, ascending: 0 where its whole branch may go; the last is its width. A group that is frozen keeps that alone. */
export function groupLevels(group: ChannelGroup, facts: Facts, options: LevelOptions): readonly number[] {
  const { width } = group;
  if (group.frozen || width <= 1) return [width];
  const axes = layerAxes(group, facts);
  const least = Math.max(1, Math.ceil(width * (options.leastShare ?? 0)));
  const below = (multiple: number, floor: number): number[] =>
    Array.from({ length: width - 1 }, (_, at) => at + 1).filter(
      (kept) => kept >= least && axes.every((axis) => fits(axis, width - kept, { multiple, floor })),
    );
  const none = options.branches === 'may-go' && standInLayers(group, facts) !== undefined ? [0] : [];
  const levels = levelsBelow(group, below, { rule: options.rule, enough: 1 - none.length });
  return [...none, ...thinned(levels, (options.most ?? MOST) - 1), width];
}

function levelsBelow(
  group: ChannelGroup,
  below: (multiple: number, floor: number) => number[],
  { rule, enough: fewest }: { readonly rule: WidthRule; readonly enough: number },
): number[] {
  if (rule.kind === 'multiples') {
    invariant(rule.of >= 1 && Number.isInteger(rule.of), `widths cannot be multiples of ${rule.of}`);
    return below(rule.of, 1);
  }
  const { arithmetic, block } = rule.target;
  const isDepthwise = [...group.makers, ...group.readers.map(({ node }) => node), ...passing(group)].some(isGrouped);
  if (arithmetic === 'int8') return below(isDepthwise ? DEPTHWISE_INT8 : FINEST, LEAST_INT8);
  // Depthwise layers take multiples of 4. Narrow ones do with what there is; where the whole branch can go, with that.
  const enough = isDepthwise ? ENOUGH : fewest;
  for (let multiple: number = block; multiple > FINEST; multiple /= 2) {
    const levels = below(multiple, 1);
    if (levels.length >= enough) return levels;
  }
  return below(FINEST, 1);
}

/** An axis of a layer along which units lie: how wide it is now, and what each unit takes of it. */
interface LayerAxis {
  readonly size: number;
  readonly perUnit: number;
}

function fits({ size, perUnit }: LayerAxis, removed: number, rule: { multiple: number; floor: number }): boolean {
  const left = size - removed * perUnit;
  return left >= rule.floor && left % rule.multiple === 0;
}

/** Axes of what makers make and readers read. Units of several features each (Flatten) fit any kernel. */
function layerAxes(group: ChannelGroup, facts: Facts): LayerAxis[] {
  const outputs = new Set<Value>(
    group.makers.flatMap(({ outputs: made }) => made.filter((value) => value !== undefined)),
  );
  const read = new Map<Value, Set<number>>();
  for (const { node, slot, axis } of group.readers) {
    const value = node.inputs[slot];
    if (value) read.set(value, (read.get(value) ?? new Set<number>()).add(axis));
  }
  return group.members.flatMap(({ value, axis, indices }) => {
    if (!outputs.has(value) && !read.get(value)?.has(axis)) return [];
    const size = facts.of(value).shape?.[axis];
    const perUnit = indices[0]?.length ?? 0;
    const isEven = indices.every(({ length }) => length === perUnit);
    return typeof size === 'number' && isEven && (perUnit === 1 || isGroupedMember(value)) ? [{ size, perUnit }] : [];
  });
}

const isGroupedMember = (value: Value): boolean =>
  [...(value.producer ? [value.producer] : []), ...value.consumers()].some(isGrouped);

const isGrouped = (node: Node): boolean => node.int('group', 1) > 1;

/** Nodes that the units pass through without being mixed: depthwise layers are among them. */
function passing({ members }: ChannelGroup): Node[] {
  return members.flatMap(({ value }) => (value.producer ? [value.producer] : []));
}

/** At most `most` of `levels`, the first and the last among them. */
function thinned(levels: readonly number[], most: number): number[] {
  if (levels.length <= most) return [...levels];
  const places = Array.from({ length: most }, (_, at) =>
    Math.round((at * (levels.length - 1)) / Math.max(1, most - 1)),
  );
  return levels.filter((_, at) => places.includes(at));
}
