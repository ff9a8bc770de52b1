// The best model of a run so far, beside the output, so that a run that is ended early leaves it there. It goes when the
// result is published.
import { rm } from 'node:fs/promises';
import { openModel } from '../../onnx/open.js';
import { writeModel } from '../../onnx/write.js';
import { bestPath } from '../best-path.js';
import { realPath } from '../input-guard.js';
import type { PruneRun } from './prune-run.js';

/** Puts the model in `path` there; nothing where nothing will be published. */
export async function keepBest({ request }: PruneRun, path: string): Promise<void> {
  const { output, externalData, keepOverridable } = request;
  if (output === undefined) return;
  const { document, model } = await openModel(path, { keepOverridable });
  await writeModel(document, model, bestPath(output), { externalData });
}

/** Removes it, unless the result was published under its name. */
export async function dropBest({ request: { output } }: PruneRun, published: string): Promise<void> {
  if (output === undefined) return;
  const best = bestPath(output);
  if (realPath(best) === realPath(published)) return;
  await rm(best, { force: true });
  await rm(`${best}.data`, { force: true });
}
