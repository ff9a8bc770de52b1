// What is known of groups before widths are chosen, what is asked for, and what was chosen.
import type { ChannelGroup } from '../../analysis/channel-group.js';
import type { ScoreRefusal, UnitScores } from '../../passes/prune/scores/score.js';
import type { Scope } from '../../passes/prune/scores/scope.js';
import type { CostKind, WidthCost } from './costs.js';

/** End-to-end error of a group by its width, all others at full width. */
export interface GroupCurve {
  /** Units kept, ascending; the last is the full width. */
  readonly kept: readonly number[];
  /** By level: noise over signal of the outputs, after the refit of the group's readers; 0 at the full width. Never rises with width. */
  readonly errors: readonly number[];
  /**
   * `measured`: at the outputs of the model, some levels measured, the others between them. `weights`: without data, the share of
   * the squared weights of the filters that leaves; comparable between groups only roughly.
   */
  readonly basis: 'measured' | 'weights';
  /** Levels that were measured, by units kept. */
  readonly measured: readonly number[];
}

/** A group that can lose units. */
export interface StudiedGroup {
  readonly group: ChannelGroup;
  readonly scores: UnitScores;
  /** Units by rank: the first is to leave first. */
  readonly order: readonly number[];
  readonly curve: GroupCurve;
}

/**
 * Why a group keeps its width. `frozen`: see `group.frozen`. `no-score`: see `refusal`. `no-level`: no smaller width suits
 * the kernels, or none is near what was asked for. `no-gain`: nothing is saved by a smaller one. `worth`: other groups lose
 * less by what they save.
 */
export type KeptReason = 'frozen' | 'no-score' | 'no-level' | 'no-gain' | 'worth';

export interface LeftGroup {
  readonly group: ChannelGroup;
  readonly why: KeptReason;
  readonly refusal?: ScoreRefusal | undefined;
}

/** Groups that can lose units and those that cannot, each in graph order. */
export interface GroupStudy {
  /** All of them, in graph order. */
  readonly order: readonly ChannelGroup[];
  readonly studied: readonly StudiedGroup[];
  readonly left: readonly LeftGroup[];
}

/**
 * `ratio`: the share of the units of each ranking that leaves, 0 to 1; `scope` says what units are compared over. Costs: as a
 * part of what they are (`factor`), or in their own unit (`absolute`): multiplications, weights, bytes, microseconds of kernels
 * (a time by the clock has to be scaled to these). `memory`: bytes that may be alive at one time.
 */
export type Objective =
  | { readonly kind: 'ratio'; readonly value: number; readonly scope: Scope }
  | { readonly kind: CostKind; readonly factor: number }
  | { readonly kind: CostKind; readonly absolute: number }
  | MemoryObjective;

export interface MemoryObjective {
  readonly kind: 'memory';
  readonly most: number;
  /** What the original needs. */
  readonly of: number;
}

export interface GroupChoice {
  readonly group: ChannelGroup;
  readonly before: number;
  readonly after: number;
  /** Predicted, of this group alone; see `GroupCurve`. */
  readonly error: number;
  /** Where nothing is removed. */
  readonly why?: KeptReason | undefined;
  readonly refusal?: ScoreRefusal | undefined;
}

export interface PredictedCost {
  readonly kind: CostKind;
  readonly before: number;
  readonly after: number;
}

/**
 * `ratio`: widths follow from the share. `exact`: the least sum of errors, up to the resolution of `allocate`. `descent`: a local
 * optimum, where too many groups meet for an exact answer.
 */
export type AllocationMethod = 'ratio' | 'exact' | 'descent';

export interface WidthChoice {
  /** By group, indices of the units to remove, ascending; groups that keep all are not in it. */
  readonly removals: ReadonlyMap<ChannelGroup, readonly number[]>;
  /** All groups, in graph order. */
  readonly groups: readonly GroupChoice[];
  /** One per cost that was given. */
  readonly costs: readonly PredictedCost[];
  /** Sum of the errors of the groups: noise over signal of the outputs, if errors are independent and all weights but those of the readers stay. */
  readonly error: number;
  readonly method: AllocationMethod;
}

/** What widths are chosen from. */
export interface WidthPlan {
  readonly study: GroupStudy;
  /** At most one of a kind; the one of the objective's kind must be there. */
  readonly costs: readonly WidthCost[];
}
