// Calibration as a call of the library: the ranges of a model's values over samples, with the report as a value.
import { basename } from 'node:path';
import { openModel } from '../onnx/open.js';
import type { CalibrationCache } from '../pipeline/calibration/cache.js';
import { writeCacheFile } from '../pipeline/calibration/cache-file.js';
import { calibrateModel, type CalibrateRequest } from '../pipeline/calibration/calibrate-model.js';
import { namedShapes } from '../pipeline/freeze.js';
import { sizedInputs } from '../pipeline/model-facts.js';
import { buildCalibrateReport } from './build-calibrate-report.js';
import type { CalibrateReport } from './calibrate-report.js';
import { openSamples, preparationText, type SampleOptions } from './sample-options.js';

export interface CalibrateFileOptions {
  /** `random`: a guess without data, see docs/calibration.md. */
  readonly samples: SampleOptions | 'random';
  /** Where to write the cache (compressed where it ends with .gz); default: `<name>.calibration.json` beside the input. */
  readonly output?: string;
  /** So many samples, drawn by `seed`; default: all. */
  readonly limit?: number;
  /** One part of the samples out of `count`, from 1. */
  readonly shard?: CalibrateRequest['shard'];
  /** Sizes of inputs, by name. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Threads of ONNX Runtime; default 1. */
  readonly threads?: number;
  /** Seed of the draw, and of random inputs; default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export interface CalibrateFileResult {
  /** Path of the cache that was written. */
  readonly output: string;
  readonly cache: CalibrationCache;
  readonly report: CalibrateReport;
}

/**
 * Gathers the ranges of the values of the model at `input`, and writes them as a cache.
 * @throws UsageError (options that do not fit), InputError (model, samples, output), InterruptError
 */
export async function calibrateFile(input: string, options: CalibrateFileOptions): Promise<CalibrateFileResult> {
  const { samples, threads = 1, signal = new AbortController().signal } = options;
  const output = options.output ?? `${input.replace(/\.onnx$/i, '')}.calibration.json`;
  const decoded = await openModel(input);
  const shapes = namedShapes(decoded.model, new Map(Object.entries(options.shapes ?? {})));
  const data =
    samples === 'random' ? undefined : await openSamples(samples, sizedInputs(decoded.model, shapes), { signal });
  const { limit, shard, seed = 0 } = options;
  const outcome = await calibrateModel({ decoded, path: input, data, limit, shard, seed, threads, shapes, signal });
  const report = buildCalibrateReport(outcome, basename(input), {
    output: basename(output),
    dataName: data && basename(data.path),
    preparation: data ? preparationText(data) : [],
    threads,
  });
  await writeCacheFile(output, outcome.cache);
  return { output, cache: outcome.cache, report };
}
