// What the steps of one run of the quantizer share once the model is prepared.
import { createHash } from 'node:crypto';
import type { CalibrationCache } from '../calibration/cache.js';
import type { QuantizationBench } from './bench.js';
import type { Candidate } from './candidate.js';
import type { Journal } from './journal.js';
import type { OutputReference } from './output-error.js';
import type { FloatMeasure, FloatReason, QuantizeRequest } from './outcome.js';
import type { Preparation } from './quantize.js';
import type { SampleSplit } from './split-samples.js';

/** Why a node stays in float, and what was measured of it. */
export interface FloatFinding {
  readonly reason: FloatReason;
  readonly measured: FloatMeasure | undefined;
}

export interface QuantizationRun {
  readonly request: QuantizeRequest;
  readonly bench: QuantizationBench;
  readonly preparation: Preparation;
  readonly calibrationSeconds: number;
  /** The calibration cache that ranges were taken from. */
  readonly cache: CalibrationCache | undefined;
  readonly journal: Journal;
  readonly split: SampleSplit;
  /** Model files: as given, slimmed, and prepared for integers but still in float. */
  readonly files: {
    readonly original: string;
    readonly slimmed: string;
    readonly teacher: string;
    /** The teacher with the results of all planned nodes as outputs. */
    readonly values: string;
    /** Where candidates are written that are only looked at. */
    readonly trial: string;
  };
  /** Under which name the result of a planned node stands there, by label. */
  readonly names: ReadonlyMap<string, string>;
  /** What the outputs of candidates are held against. */
  readonly reference: OutputReference;
  /** Labels that the user keeps in float. */
  readonly asked: ReadonlySet<string>;
  /** Nodes that rules of speed keep in float, by label. */
  readonly ruled: ReadonlyMap<string, FloatFinding>;
  /** Both: what no search tries on integers. */
  readonly settled: ReadonlySet<string>;
  /** Whether times count on this machine. */
  readonly timed: boolean;
  readonly warnings: string[];
  /** The candidate in whose form the model stands, and whose file lies in the workspace. */
  readonly standing: { candidate: Candidate | undefined };
}

/** A short name for a set of labels, as steps of the journal use it. */
export function floatsKey(float: ReadonlySet<string>): string {
  if (float.size === 0) return 'all int8';
  const digest = createHash('sha256')
    .update([...float].sort().join('\n'))
    .digest('hex');
  return `${float.size} float ${digest.slice(0, 12)}`;
}
