// What a pruning run asks for and what it gives: the contract between the run (prune-file.ts) and those who ask and report
// (src/cli, src/report).
import type { FreezeCode } from '../../analysis/channel-group.js';
import type { RemovalCode } from '../../passes/prune/remove-units-cuts.js';
import type { ScoreName } from '../../passes/prune/scores/registry.js';
import type { ScoreRefusal } from '../../passes/prune/scores/score.js';
import type { Accuracy, Loss } from '../evaluation/compare-answers.js';
import type { SampledRunOutcome } from '../run-outcome.js';
import type { SampledRunRequest } from '../run-request.js';
import type { PruneSettings } from './settings.js';

export interface PruneRequest extends SampledRunRequest {
  readonly settings: PruneSettings;
  /** Most samples to use, drawn by the seed; all by default. */
  readonly limit?: number;
}

/**
 * Why a group kept all its units. `worth`: others were worth less. `no-level`: no smaller width suits the kernels. `no-gain`: a
 * smaller width costs more than it saves. `met`: the budget was met without. `defect`: the model without them computed something
 * else than the original with them at zero, and they were given back. `slower`: the pruned model was measured slower.
 * `loss`: nothing could leave within the loss that is allowed.
 */
export type KeepReason =
  | FreezeCode
  | RemovalCode
  | ScoreRefusal
  | 'one-unit'
  | 'worth'
  | 'no-level'
  | 'no-gain'
  | 'met'
  | 'defect'
  | 'slower'
  | 'loss';

/** One channel group: what became of it. */
export interface PrunedGroup {
  readonly name: string;
  /** Labels of the layers that make the units, and of those that read them. */
  readonly makers: readonly string[];
  readonly readers: readonly string[];
  readonly width: { readonly before: number; readonly after: number };
  /** Undefined where units left. */
  readonly reason: KeepReason | undefined;
  /** The node or value to blame. */
  readonly at: string | undefined;
  /** Of the units before: as scored, the same in no two groups unless the score says so. */
  readonly scores: { readonly min: number; readonly median: number; readonly max: number } | undefined;
  /** What its readers lose of their outputs, after the refit where there was one; part of the energy, on the samples. */
  readonly error: number | undefined;
  /** Microseconds per run of its makers and readers. */
  readonly us: { readonly before: number; readonly after: number } | undefined;
}

/** One model that was tried on the way. */
export interface PruneStep {
  /** In words: `cycle 3`, `ratio 0.25`. */
  readonly name: string;
  /** Units that are left, of all that could leave. */
  readonly units: number;
  readonly macs: number;
  readonly parameters: number;
  /** On the samples for selection. */
  readonly loss: Loss;
  /** Against the original: below 1 is faster. Undefined when not timed. */
  readonly latencyRatio: number | undefined;
}

/** A cut of the head to some classes. */
export interface ClassSubset {
  /** Index in the original by index in the result. */
  readonly kept: readonly number[];
  /** By index in the result, where the data knows names. */
  readonly names: readonly string[] | undefined;
  readonly of: number;
  /** Where the classes of samples come from. */
  readonly by: 'labels' | 'predictions';
  /** Accuracy on them: of the original restricted to them, and of the result; undefined without labels. */
  readonly accuracy: { readonly original: Accuracy; readonly result: Accuracy } | undefined;
  /** The original with nothing but its head cut, and the result against it: what was gained beyond the cut. */
  readonly restricted: {
    readonly macs: number;
    readonly parameters: number;
    readonly latencyRatio: number | undefined;
  };
}

export interface PruneOutcome extends SampledRunOutcome {
  readonly groups: readonly PrunedGroup[];
  /** What units were ranked by. */
  readonly score: ScoreName;
  /** Units that could leave, and those that did. */
  readonly units: { readonly before: number; readonly after: number };
  readonly steps: readonly PruneStep[];
  readonly subset: ClassSubset | undefined;
  /** The result without refit was the original with the units at zero: worst error relative to scale; undefined when not checked. */
  readonly removalError: number | undefined;
  /** Layers that were refitted. */
  readonly refitted: number;
  /** Verdict on the budget; undefined where only a loss was given. */
  readonly budget: 'met' | 'missed' | undefined;
  /** `original`: nothing was pruned, because what came out was slower, or lost too much. */
  readonly kept: 'pruned' | 'original';
  /** Samples for statistics and refits, for choices on the way, and for the loss above. */
  readonly samples: { readonly fitted: number; readonly selected: number; readonly reported: number };
  readonly dataFree: boolean;
}
