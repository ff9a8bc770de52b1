// What a quantization run asks for and what it gives: the contract between the run (quantize-file.ts) and those who ask and
// report (src/cli, src/report).
import type { CalibratorName } from '../../fit/calibrators/registry.js';
import type { CalibratedRange } from '../../fit/calibrators/calibrator.js';
import type { FloatCode } from '../../passes/quantize/int8-operators.js';
import type { TargetName } from '../../passes/quantize/target.js';
import type { Loss } from '../evaluation/compare-answers.js';
import type { FusionProof } from '../fusion-proof.js';
import type { SampledRunOutcome } from '../run-outcome.js';
import type { SampledRunRequest } from '../run-request.js';

export interface QuantizeRequest extends SampledRunRequest {
  readonly target: TargetName;
  readonly calibrators: readonly CalibratorName[];
  readonly equalize: 'on' | 'off';
  readonly rounding: 'second-order' | 'nearest';
  readonly refineRanges: 'on' | 'off';
  readonly correctBiases: 'on' | 'off';
  /** A calibration cache of the model and the data, whose ranges are taken where they still hold. */
  readonly calibration?: string;
  /** Samples to calibrate with; the others score. */
  readonly calibrationSamples: number;
  /** Most samples to score with; all the others by default. */
  readonly scoringSamples?: number;
  /** Labels of nodes that stay in float. */
  readonly float: readonly string[];
  /** Largest loss, in the unit of the loss (DESIGN.md 1); undefined: whatever comes out is kept, and reported. */
  readonly maxDrop: number | undefined;
}

/** What was measured of a node that stays in float. */
export interface FloatMeasure {
  /** Microseconds per run where it stands in the model, conversions around it included. */
  readonly us?: { readonly int8: number; readonly float: number };
  /** Signal to noise of the outputs of the model with only this node on integers, dB. */
  readonly outputsDb?: number;
}

/** `slower`, `loss`: found by the search. `unsound`: the prepared model computes something else. */
export type FloatReason = FloatCode | 'slower' | 'loss' | 'unsound';

/** One node of the float model that could be thought of for integers. */
export interface QuantizedNode {
  readonly node: string;
  readonly opType: string;
  readonly form: 'int8' | 'float';
  /** Why it is float. */
  readonly reason: FloatReason | undefined;
  /** What that rests on, where something was measured. */
  readonly measured?: FloatMeasure | undefined;
  /** What the runtime made of it; undefined for float nodes. */
  readonly fused: boolean | undefined;
  /** Signal to noise of its result against the float model on calibration samples, dB. */
  readonly signalToNoise: number | undefined;
  /**
   * Share of its output channels that can overflow on x86 without VNNI: `saturatingShare` (saturation.ts) of the node of the
   * quantized model. Left out where nothing is known.
   */
  readonly saturating?: number | undefined;
}

/** A quantized value. */
export interface QuantizedValue {
  readonly value: string;
  readonly range: CalibratedRange;
  readonly observed: CalibratedRange;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly calibrator: CalibratorName | 'fixed';
}

/** One step of the search for a loss within bounds. */
export interface SearchStep {
  /** Nodes in float in this step, besides those that were so from the start. */
  readonly float: readonly string[];
  readonly loss: Loss;
  /** Against the original: below 1 is faster. Undefined when not timed. */
  readonly latencyRatio: number | undefined;
}

export interface QuantizeOutcome extends SampledRunOutcome {
  readonly nodes: readonly QuantizedNode[];
  readonly values: readonly QuantizedValue[];
  readonly proof: FusionProof;
  readonly equalizedLayers: number;
  readonly correctedBiases: number;
  readonly steps: readonly SearchStep[];
  /** `original`: nothing of int8 was kept, because it was slower. */
  readonly kept: 'int8' | 'mixed' | 'original';
  readonly calibration: {
    readonly samples: number;
    readonly seconds: number;
    readonly dataFree: boolean;
    /** Values whose range a calibration cache gave, and the samples it was made of; undefined where none was named. */
    readonly cache?: { readonly values: number; readonly samples: number } | undefined;
  };
  readonly scored: number;
}
