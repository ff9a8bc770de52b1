// The report value of `calibrate`, from what was gathered or merged.
import { CALIBRATOR_NAMES, CALIBRATORS } from '../fit/calibrators/registry.js';
import { histogramTotal } from '../fit/histogram.js';
import type { RangeState } from '../fit/range.js';
import type { CalibrateOutcome } from '../pipeline/calibration/calibrate-model.js';
import type { CalibrationCache } from '../pipeline/calibration/cache.js';
import type { CalibrateReport } from './calibrate-report.js';
import { surroundings } from './surroundings.js';

/** What the cache does not say. */
export interface CalibrateFacts {
  /** Name of the cache, "-" for standard output. */
  readonly output: string;
  /** Of the data; undefined without. */
  readonly dataName: string | undefined;
  readonly preparation: readonly string[];
  readonly threads: number;
}

/** Samples that could not be read and are named. */
const NAMED = 20;

/** The report of one calibration; `modelName` is the name of the model file, "-" for standard input. */
export function buildCalibrateReport(
  { file, cache, normalization, warnings, elapsedMs }: CalibrateOutcome,
  modelName: string,
  facts: CalibrateFacts,
): CalibrateReport {
  return {
    ...reportOf(cache, facts),
    model: { name: modelName, bytes: file.bytes, gzipBytes: file.gzipBytes, sha256: file.sha256 },
    normalization: normalization && {
      shift: normalization.shift,
      spread: normalization.spread,
      nodes: normalization.nodes,
    },
    threads: facts.threads,
    elapsedMs,
    warnings,
  };
}

/** The report of `merged` caches that became one. */
export function buildMergeReport(cache: CalibrationCache, output: string, merged: number): CalibrateReport {
  return { ...reportOf(cache, { output, dataName: undefined, preparation: [] }), merged };
}

function reportOf(
  { model, data, parts, samples, skipped, values }: CalibrationCache,
  { output, dataName, preparation }: Omit<CalibrateFacts, 'threads'>,
): CalibrateReport {
  return {
    version: 1,
    kind: 'calibrate',
    modelSha256: model,
    output,
    data: {
      ...data,
      name: dataName,
      preparation,
      parts,
      samples,
      skippedCount: skipped.length,
      skipped: skipped.slice(0, NAMED).map(({ name, reason }) => ({ sample: name, reason })),
    },
    values: [...values].map(([name, state]) => valueReport(name, state)),
    ...surroundings(),
    warnings: [],
  };
}

function valueReport(name: string, state: RangeState): CalibrateReport['values'][number] {
  const { elements, nonFinite, min, max, histogram } = state;
  const seen = elements > 0 ? { min, max } : {};
  const ranges = CALIBRATOR_NAMES.map((calibrator) => ({
    calibrator,
    ...CALIBRATORS[calibrator].range(state, { levels: 256, symmetry: 'asymmetric' }),
  }));
  return { name, elements, counted: histogramTotal(histogram), nonFinite, zeros: histogram.zeros, ...seen, ranges };
}
