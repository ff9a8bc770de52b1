// What a factorization run asks for and what it gives: the contract between the run (factorize-file.ts) and those who ask and
// report (src/cli, src/report).
import type { FactorScheme } from '../../fit/low-rank/factors.js';
import type { Loss } from '../evaluation/compare-answers.js';
import type { SampledRunOutcome } from '../run-outcome.js';
import type { SampledRunRequest } from '../run-request.js';
import type { SiteDecline } from './layer-sites.js';
import type { TradeOutcome } from '../trading/conclude.js';
import type { CostKind } from '../trading/costs.js';
import type { FactorizeSettings } from './settings.js';

export interface FactorizeRequest extends SampledRunRequest {
  readonly settings: FactorizeSettings;
  /** Most samples to use, drawn by the seed; all by default. */
  readonly limit?: number;
}

/**
 * Why a layer stayed whole. `no-moments`: its input cannot be looked at, or is too wide. `not-finite`: weights or values are no
 * numbers. `no-saving`: no chain costs less. `slower-chain`: chains that cost less were measured to take longer. `worth`: others lose
 * less by what they save. `met`: the budget was met without. `no-gain`: in the model its chain took no less time, and it was put
 * back. `slower`: the factorized model was measured slower. `loss`: no chain keeps the loss within what is allowed.
 */
export type StayReason =
  | SiteDecline
  | 'no-moments'
  | 'not-finite'
  | 'no-saving'
  | 'slower-chain'
  | 'worth'
  | 'met'
  | 'no-gain'
  | 'slower'
  | 'loss';

/** A chain of a layer as planned: what it loses of the variance of the layer's output. */
export interface CurvePoint {
  readonly ranks: readonly number[];
  readonly macs: number;
  readonly params: number;
  readonly error: number;
  /** Microseconds alone, where it was timed. */
  readonly us: number | undefined;
}

export interface BeforeAfter {
  readonly before: number;
  readonly after: number;
}

/** One layer with weights: what became of it. */
export interface FactorizedLayer {
  readonly name: string;
  readonly opType: string;
  /** Undefined where its geometry is not known. */
  readonly sizes: { readonly inputs: number; readonly outputs: number; readonly kernel: readonly number[] } | undefined;
  /** Undefined where it stayed whole. */
  readonly chain:
    | {
        readonly scheme: FactorScheme;
        readonly ranks: readonly number[];
        /** As planned: of the layer's output, and noise over signal of the model's. */
        readonly error: number;
        readonly loss: number;
        /** On what it reads in the result, against the original; undefined where it was not refitted. */
        readonly refitError: number | undefined;
      }
    | undefined;
  readonly macs: BeforeAfter | undefined;
  readonly params: BeforeAfter | undefined;
  /** Microseconds of the layer and of its chain: each alone, and within the models. */
  readonly us: { readonly predicted: BeforeAfter | undefined; readonly measured: BeforeAfter | undefined };
  /** Undefined where it was factorized. */
  readonly reason: StayReason | undefined;
  /** The best chains of each scheme, by rising multiplications. */
  readonly curves: readonly { readonly scheme: FactorScheme; readonly points: readonly CurvePoint[] }[];
}

/** One model that was tried on the way. */
export interface FactorizeStep {
  /** In words: `candidate 3 of 20`. */
  readonly name: string;
  /** Layers that were chains in it. */
  readonly chains: number;
  readonly macs: number;
  readonly parameters: number;
  /** On the samples for selection. */
  readonly loss: Loss;
  /** Against the original: below 1 is faster. Undefined when not timed. */
  readonly latencyRatio: number | undefined;
}

export interface FactorizeOutcome extends SampledRunOutcome, Pick<TradeOutcome, 'base' | 'budget'> {
  readonly layers: readonly FactorizedLayer[];
  /** What had to get smaller. */
  readonly aim: CostKind;
  readonly steps: readonly FactorizeStep[];
  /** Layers that were refitted. */
  readonly refitted: number;
  /** `original`: nothing was factorized, because what came out was slower, or lost too much, or nothing was worth it. */
  readonly kept: 'factorized' | 'original';
  /** Samples for statistics and refits, for choices on the way, and for the loss above. */
  readonly samples: { readonly fitted: number; readonly selected: number; readonly reported: number };
  readonly dataFree: boolean;
}
