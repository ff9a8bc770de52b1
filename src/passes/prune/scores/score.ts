// What a score is: numbers by which the units of a group are ranked, from their weights or from what was observed of them.
import type { ChannelGroup, GroupReader } from '../../../analysis/channel-group.js';
import type { Facts } from '../../../analysis/facts.js';
import type { Rng } from '../../../base/rng.js';
import type { ChannelMagnitudes } from '../../../fit/channel-magnitudes.js';
import type { PatchMoments } from '../../../fit/patch-moments.js';
import type { Moments } from '../../../fit/rank-update.js';
import type { Value } from '../../../ir/value.js';
import type { Planned } from '../../plan.js';
import type { Scope } from './scope.js';

/**
 * `weights`: nothing but the model. `activations`: mean magnitudes of the values that readers read. `moments`: second
 * moments of the patches that readers see. `covariance`: second moments of the channels of the values that they read.
 */
export type ScoreNeed = 'weights' | 'activations' | 'moments' | 'covariance';

/** What was observed of a group. Only what the chosen scores need is there, and only where it could be observed. */
export interface GroupEvidence {
  readonly group: ChannelGroup;
  /** Of each value read, along the axis of the units. */
  readonly activations: ReadonlyMap<Value, ChannelMagnitudes>;
  readonly moments: ReadonlyMap<GroupReader, PatchMoments>;
  /** Of the channels of each value read, the constant last. */
  readonly covariance: ReadonlyMap<Value, Moments>;
}

export interface ScoreOptions {
  readonly facts: Facts;
  /** Draws of the group, whatever was drawn for others: fork it by the group's name. */
  readonly rng: Rng;
  /**
   * `readers`: magnitudes of activations are multiplied by the norm of the weights that read them, so that scaling a unit
   * up and its weights in the readers down changes nothing. Default `none`, as DropNet has it.
   */
  readonly correction?: 'none' | 'readers';
  /** Of the ridge of `obs`, see `RemovalOptions`. */
  readonly lambda?: number;
  /** `relative`: `obs` measures errors of a reader against the variance of its output (default); `absolute`: as they are. */
  readonly errors?: 'relative' | 'absolute';
  /** Of `obs`, see `RemovalOptions`; default `unseen`. */
  readonly estimate?: 'sample' | 'unseen';
}

/** Why a group has no such score. */
export type ScoreRefusal =
  | 'not-observed'
  | 'too-few-samples'
  | 'not-finite'
  | 'weights-not-constant'
  | 'unsupported-reader'
  | 'unsupported-layout'
  | 'no-filters'
  | 'no-normalization';

/** Units one after the other, and what is lost. */
export interface Removal {
  /** Every unit once: the first is to leave first. */
  readonly order: readonly number[];
  /**
   * At k: the error without the first k units; one more entry than there are units, 0 at first. In the measure of the
   * score: see there.
   */
  readonly errors: Float64Array;
}

export interface UnitScores {
  /** One per unit: the higher, the more it is worth. */
  readonly values: Float64Array;
  /** Of scores that look at sets of units, not at each alone. */
  readonly removal?: Removal;
}

export type ScoreResult = Planned<UnitScores, ScoreRefusal> & object;

export interface Score {
  readonly name: string;
  readonly summary: string;
  readonly needs: readonly ScoreNeed[];
  /** Over what its numbers are meant to be compared. */
  readonly scope: Scope;
  score(evidence: GroupEvidence, options: ScoreOptions): ScoreResult;
}

/** The scores of units that leave in this order: the error when they have left, so that the last to leave is worth most. */
export function removalScores(removal: Removal): UnitScores {
  const values = new Float64Array(removal.order.length);
  let most = 0;
  for (const [at, unit] of removal.order.entries()) {
    most = Math.max(most, removal.errors[at + 1] ?? 0);
    values[unit] = most;
  }
  return { values, removal };
}
