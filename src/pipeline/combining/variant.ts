// A model that was made on the way, as it would be published, with what was measured of it.
import { openModel } from '../../onnx/open.js';
import { compareLatency } from '../../runtime/latency.js';
import { assumedSizes, digestFiles, figuresOf } from '../model-facts.js';
import { externalBytes } from '../written-model.js';
import type { CombineRun } from './combine-run.js';
import type { CombineStep, Stage } from './outcome.js';

export interface Variant {
  readonly step: Omit<CombineStep, 'fate'>;
  /** SHA-256 of the file at `path`: a run that goes on with more time may find another model under the same name. */
  readonly digest: string;
  /** Milliseconds of one run. */
  readonly ms: number;
  /** Time of `raw` against the original. */
  readonly rawRatio: number;
  /** The file that further changes go on from, and the same as it would be published. */
  readonly raw: string;
  readonly path: string;
  /** The runs that it came of, in their order. */
  readonly stages: readonly Stage[];
}

/** A model before it is measured. */
export interface Made extends Pick<Variant, 'raw' | 'path' | 'stages'> {
  readonly about: Pick<CombineStep, 'name' | 'kind' | 'on' | 'what' | 'seconds'>;
}

/** Milliseconds of one timing, and how narrow it has to be: many models are timed, and the result once more. */
const BUDGET = 4000;
const PRECISION = 0.01;

/** Scores and times a model against the original, unless the journal knows. @throws what scoring and timing throw */
export async function measureVariant(run: CombineRun, { about, raw, path, stages }: Made): Promise<Variant> {
  const { journal, scorers, shapes, request } = run;
  const { document, model } = await openModel(path, { keepOverridable: request.keepOverridable });
  const { bytes, sha256: digest } = await digestFiles(path, externalBytes(document), 'skip');
  const { ms, rawRatio, ...found } = await journal.recall(`measured ${about.name} ${digest}`, async () => {
    const { loss } = await scorers.select.score(path);
    request.onStage?.(`timing ${about.name}`);
    const { cost } = figuresOf(model, assumedSizes(model, shapes, undefined));
    const timing = await timed(run, path);
    return {
      loss,
      latencyRatio: timing.ratio,
      ms: timing.ms,
      rawRatio: raw === path ? timing.ratio : (await timed(run, raw)).ratio,
      macs: cost.macs,
      parameters: cost.parameters,
      bytes,
    };
  });
  return { step: { ...about, ...found }, digest, ms, rawRatio, raw, path, stages };
}

async function timed(
  { host, original, samples, request: { threads, seed, signal, timingMs = BUDGET } }: CombineRun,
  path: string,
): Promise<{ readonly ratio: number; readonly ms: number }> {
  const options = { threads, seed, signal, budget: Math.min(BUDGET, timingMs), precision: PRECISION };
  const found = await compareLatency(host, original.path, path, samples.first, options);
  await host.release();
  return { ratio: found[found.decidedBy].value, ms: found.after.wall.p50 };
}
