// The best model of a run so far, beside the output, so that a run that is ended early leaves it there. It goes when the
// result is published.
import { rm } from 'node:fs/promises';
import type { DecodedModel } from '../onnx/decode.js';
import { writeModel } from '../onnx/write.js';
import { bestPath } from './best-path.js';
import { realPath } from './input-guard.js';
import type { RunRequest } from './run-request.js';

/** Writes the model there; nothing, and nothing is read, where nothing will be published. */
export async function keepBest(
  { output, externalData }: RunRequest,
  read: () => DecodedModel | Promise<DecodedModel>,
): Promise<void> {
  if (output === undefined) return;
  const { document, model } = await read();
  await writeModel(document, model, bestPath(output), { externalData });
}

/** Removes it, unless the result was published under its name. */
export async function dropBest({ output }: RunRequest, published: string): Promise<void> {
  if (output === undefined) return;
  const best = bestPath(output);
  if (realPath(best) === realPath(published)) return;
  await rm(best, { force: true });
  await rm(`${best}.data`, { force: true });
}
