// What is needed to see a wrong rewrite again: the graph just before it, a recipe of one pass, the seed.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Model } from '../ir/model.js';
import type { OnnxDocument } from '../onnx/document.js';
import { writeModel } from '../onnx/write.js';
import { RECIPE_VERSION } from './recipe.js';
import type { Undone } from './transaction.js';

interface ReproducerOptions {
  /** Path of the output of the run; the folder stands beside it. */
  readonly output: string;
  /** Number of the defect in this run, from 1. */
  readonly index: number;
  readonly seed: number;
}

/** Writes `<output>.reproducer-<index>/` and returns its path. */
export async function writeReproducer(
  document: OnnxDocument,
  model: Model,
  { rewrite, check }: Undone,
  { output, index, seed }: ReproducerOptions,
): Promise<string> {
  const folder = `${output}.reproducer-${index}`;
  await mkdir(folder, { recursive: true });
  await writeModel(document, model, join(folder, 'before.onnx'), { externalData: 'auto' });
  await writeFile(
    join(folder, 'recipe.json'),
    `${JSON.stringify({ version: RECIPE_VERSION, passes: [rewrite.pass] }, undefined, 2)}\n`,
  );
  await writeFile(
    join(folder, 'README.md'),
    [
      `# ${rewrite.pass} was wrong at ${rewrite.site}`,
      '',
      `${check.reason ?? 'The outputs differ.'}`,
      '',
      '```',
      `mcompress slim before.onnx --recipe recipe.json --seed ${seed} --strict`,
      '```',
      '',
    ].join('\n'),
  );
  return folder;
}
