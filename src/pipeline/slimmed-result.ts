// What a run gives that changed nothing for good: the slimmed model, or the one before where slimming made it slower.
import type { DecodedModel } from '../onnx/decode.js';
import { openModel } from '../onnx/open.js';
import { writeModel, type WrittenModel } from '../onnx/write.js';
import type { TimedPair } from './measure.js';
import { timedRun, type PruneRun } from './pruning/prune-run.js';
import type { Score, Scorer } from './quantization/score-candidate.js';
import { timeCandidate } from './quantization/speed.js';
import { resultName, type RunRequest, type SampledRunRequest } from './run-request.js';
import { isSlower } from './speed-gate.js';

/** A model as it will be published. */
export interface Result {
  readonly decoded: DecodedModel;
  readonly written: WrittenModel;
  /** Undefined for the model before: it loses nothing. */
  readonly score: Score | undefined;
  readonly timing: TimedPair | undefined;
}

interface SlimmedRun extends Pick<
  PruneRun,
  'host' | 'workspace' | 'samples' | 'original' | 'slimmed' | 'journal' | 'timed'
> {
  readonly request: SampledRunRequest;
  readonly scorers: { readonly report: Scorer };
}

/** The slimmed model, or `before` where slimming made it slower than the original. @throws what writing and running throw */
export async function slimmedResult(run: SlimmedRun, before: DecodedModel): Promise<Result> {
  const { request, slimmed, journal, scorers, timed } = run;
  const speed = timed
    ? await timeCandidate(timedRun(run), () => Promise.resolve(slimmed.path), 'the slimmed model')
    : undefined;
  const isSlimmed = speed === undefined || !isSlower(speed.original);
  const { keepOverridable } = request;
  const decoded = isSlimmed ? await openModel(slimmed.path, { keepOverridable }) : before;
  const score = isSlimmed
    ? await journal.recall('score of the slimmed model', () => scorers.report.score(slimmed.path))
    : undefined;
  const timing = isSlimmed ? speed?.original : undefined;
  return { decoded, written: await writeResult(run, decoded), score, timing };
}

/** Lays a model into the workspace under the name that it is published by. @throws as `writeModel` */
export function writeResult(
  { request, workspace }: Pick<PruneRun, 'workspace'> & { readonly request: RunRequest },
  { document, model }: DecodedModel,
): Promise<WrittenModel> {
  return writeModel(document, model, workspace.path(resultName(request)), { externalData: request.externalData });
}
