// One choice of nodes that stay in float, as a model file: quantized, its biases corrected where that helps.
import type { WrittenModel } from '../../onnx/write.js';
import { writeModel } from '../../onnx/write.js';
import { resultName } from '../run-request.js';
import { modelPath } from '../written-model.js';
import { applyQuantization, type AppliedQuantization } from './quantize.js';
import { correctBiases } from './correct-biases.js';
import { floatsKey, type QuantizationRun } from './quantization-run.js';

export interface Candidate {
  /** Labels of the nodes that were asked to stay in float. */
  readonly float: ReadonlySet<string>;
  readonly applied: AppliedQuantization;
  readonly correctedBiases: number;
  readonly path: string;
  readonly written: WrittenModel;
}

/** Samples on which corrected biases are judged: others than those that correct them, where there are so many. */
const JUDGING_SAMPLES = 32;

/**
 * Makes the candidate: the model stands in its form afterwards, and its file lies in the workspace. The same labels give the
 * same bytes, whatever was tried before.
 */
export async function makeCandidate(run: QuantizationRun, float: ReadonlySet<string>): Promise<Candidate> {
  const { bench, preparation, standing } = run;
  standing.candidate = undefined;
  const applied = applyQuantization(bench, preparation, float);
  let correctedBiases = 0;
  let written = await writeCandidate(run);
  if (run.request.correctBiases === 'on' && applied.biases.length > 0) {
    const { model } = bench.decoded;
    const mark = model.journal.mark();
    const before = await noiseOf(run);
    await correctBiases(bench, applied.biases, preparation.means);
    written = await writeCandidate(run);
    const step = `biases of ${floatsKey(float)}`;
    const noise = await run.journal.recall(step, async () => ({ before, after: await noiseOf(run) }));
    if (noise.after <= noise.before) correctedBiases = applied.biases.length;
    else {
      model.journal.seek(mark);
      written = await writeCandidate(run);
    }
  }
  standing.candidate = { float, applied, correctedBiases, path: modelPath(written), written };
  return standing.candidate;
}

/** Of the outputs of the model as it stands. */
function noiseOf({ bench, reference, preparation }: QuantizationRun): Promise<number> {
  const { samples: corrected } = preparation.means;
  const skipped = bench.samples >= corrected + JUDGING_SAMPLES ? corrected : 0;
  const samples = Math.min(bench.samples - skipped, JUDGING_SAMPLES);
  return reference.noise({ samples, skipped });
}

/** Writes the model as it stands under the name of the result. */
export function writeCandidate({ bench, request }: QuantizationRun): Promise<WrittenModel> {
  const { document, model } = bench.decoded;
  return writeModel(document, model, bench.workspace.path(resultName(request)), { externalData: request.externalData });
}
