// The best model of a search so far, beside the output, so that a run that is ended early leaves it there. It goes when the
// result is published.
import { rm } from 'node:fs/promises';
import { bestPath } from '../best-path.js';
import { realPath } from '../input-guard.js';
import { writeModel } from '../../onnx/write.js';
import type { QuantizationRun } from './quantization-run.js';

/** Writes the model as it stands; nothing where nothing will be published. */
export async function keepBest({ bench, request }: QuantizationRun): Promise<void> {
  if (request.output === undefined) return;
  const { document, model } = bench.decoded;
  await writeModel(document, model, bestPath(request.output), { externalData: request.externalData });
}

/** Removes it, unless the result was published under its name. */
export async function dropBest({ request }: QuantizationRun, published: string): Promise<void> {
  if (request.output === undefined || request.maxDrop === undefined) return;
  const best = bestPath(request.output);
  if (realPath(best) === realPath(published)) return;
  await rm(best, { force: true });
  await rm(`${best}.data`, { force: true });
}
