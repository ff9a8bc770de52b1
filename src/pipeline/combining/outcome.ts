// What a choice among all passes asks for and what it gives: the contract between the run (combine-file.ts) and those who ask and report
// (src/cli, src/report).
import type { DeepenOutcome, DeepenRequest, KindTimes } from '../deepening/outcome.js';
import type { Loss } from '../evaluation/compare-answers.js';
import type { FactorizeOutcome, FactorizeRequest } from '../factorizing/outcome.js';
import type { ClassSubset, PruneOutcome, PruneRequest } from '../pruning/outcome.js';
import type { QuantizeOutcome, QuantizeRequest } from '../quantization/outcome.js';
import type { SampledRunOutcome } from '../run-outcome.js';
import type { SampledRunRequest } from '../run-request.js';
import type { ChangeKind, CombineSettings } from './settings.js';

export interface CombineRequest extends SampledRunRequest {
  readonly settings: CombineSettings;
  /** Most samples to use, drawn by the seed; all by default. */
  readonly limit?: number;
}

/**
 * What became of a model that was made. `taken`: it is the result, or the result was made of it. `beaten`: another one is faster within
 * the loss, or loses less within the budget. `over`: it loses too much, on the samples for selection or on those that are reported.
 * `slower`: it was measured slower than the original there.
 */
export type StepFate = 'taken' | 'beaten' | 'over' | 'slower';

/** One model that was made on the way: a change on top of those before it. */
export interface CombineStep {
  /** The changes in it, in their order, the same in no two steps: `deepen + prune`, `deepen + prune 2`. */
  readonly name: string;
  /** `slim`: the exact passes alone. */
  readonly kind: ChangeKind | 'slim';
  /** Name of the step that it builds on; undefined for `slim`. */
  readonly on: string | undefined;
  /** What was changed, in words: `5 of 9 blocks replaced`. */
  readonly what: string;
  /** Against the original, on the samples for selection. */
  readonly loss: Loss;
  /** Time against the original: below 1 is faster. */
  readonly latencyRatio: number;
  readonly macs: number;
  readonly parameters: number;
  readonly bytes: number;
  /** How long it took to find. */
  readonly seconds: number;
  readonly fate: StepFate;
}

/**
 * Why a change was not made on top of a step. `nothing`: the run found nothing that pays within the loss. `no-gain`: the model is not
 * faster, or not smaller in what the budget is of. `lossy`: what it found loses too much. `unsupported`: the run refuses the model.
 * `no-time`: the time for looking was over. `not-here`: integers of this processor cannot be timed. `not-asked`: left out by the user.
 */
export type IdleReason = 'nothing' | 'no-gain' | 'lossy' | 'unsupported' | 'no-time' | 'not-here' | 'not-asked';

/** A change that came to nothing. */
export interface IdleChange {
  readonly kind: ChangeKind;
  /** Name of the step that it was tried on. */
  readonly on: string;
  readonly reason: IdleReason;
  /** What the run itself says of it. */
  readonly message: string | undefined;
}

/** A model that a run within this one judged: for the picture of what was looked at. */
export interface ExploredModel {
  readonly label: string;
  readonly latencyRatio: number;
  readonly loss: Loss;
}

/** A run within this one, as its own report tells of it. */
export type StageRun =
  | { readonly kind: 'deepen'; readonly request: DeepenRequest; readonly outcome: DeepenOutcome }
  | { readonly kind: 'prune'; readonly request: PruneRequest; readonly outcome: PruneOutcome }
  | { readonly kind: 'factorize'; readonly request: FactorizeRequest; readonly outcome: FactorizeOutcome }
  | { readonly kind: 'int8'; readonly request: QuantizeRequest; readonly outcome: QuantizeOutcome };

export interface Stage {
  /** Name of the step that came of it. */
  readonly name: string;
  readonly run: StageRun;
  readonly elapsedMs: number;
}

/** What 8-bit integers alone give within the same loss. */
export interface Int8Alone {
  /** Name of the step. */
  readonly name: string;
  /** Against the original, on the samples that are reported. */
  readonly loss: Loss;
  /** Time against the original. */
  readonly latencyRatio: number;
  /** Time of the result against it, both in turn: below 1 the result is faster; undefined where it is the result. */
  readonly resultRatio: { readonly value: number; readonly low: number; readonly high: number } | undefined;
}

export interface CombineOutcome extends SampledRunOutcome {
  /** In the order in which they were made; the first is `slim`. */
  readonly steps: readonly CombineStep[];
  readonly idle: readonly IdleChange[];
  readonly explored: readonly ExploredModel[];
  /** The runs that the result came of, in their order. */
  readonly stages: readonly Stage[];
  /** Name of the step that is the result; undefined: the original itself is. */
  readonly result: string | undefined;
  /** Undefined where integers alone give nothing within the loss, or were not asked for. */
  readonly int8Alone: Int8Alone | undefined;
  /** Verdict on the targets; undefined where none was given. */
  readonly budget: 'met' | 'missed' | undefined;
  /** `original`: nothing beyond the exact passes was kept. */
  readonly kept: 'changed' | 'original';
  readonly kinds: { readonly before: KindTimes; readonly after: KindTimes } | undefined;
  readonly subset: Pick<ClassSubset, 'kept' | 'names' | 'of' | 'by'> | undefined;
  /** Samples for calibration and fits, for choices on the way, and for the loss above. */
  readonly samples: { readonly fitted: number; readonly selected: number; readonly reported: number };
  /** Seconds that were allowed for looking, and that the run took. */
  readonly effort: { readonly allowed: number; readonly taken: number };
}
