// What is needed to see a defect of mcompress again: the model, the recipe, the command, the stack.
import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageVersion } from '../base/version.js';
import { recipeDocument } from '../pipeline/recipe.js';
import type { SlimRequest } from '../pipeline/slim.js';

/** Larger models are named, not copied. */
const MAX_COPY_BYTES = 256 * 2 ** 20;

/**
 * Writes the folder `<output>.reproducer` and returns its path; undefined where nothing is written (dry run, stdout) or
 * the disk refuses: the error itself must still be told.
 */
export async function writeCrashReproducer(error: unknown, request: SlimRequest): Promise<string | undefined> {
  if (request.output === undefined) return undefined;
  const folder = `${request.output}.reproducer`;
  try {
    await mkdir(folder, { recursive: true });
    const model = await keepModel(request.input, join(folder, 'model.onnx'));
    await writeFile(join(folder, 'recipe.json'), `${JSON.stringify(recipeDocument(request.recipe), undefined, 2)}\n`);
    await writeFile(join(folder, 'README.md'), readme(error, request, model));
    return folder;
  } catch {
    return undefined;
  }
}

/** The name of the model to give to the command: a copy where it is not too large. */
async function keepModel(input: SlimRequest['input'], copy: string): Promise<string> {
  if ('bytes' in input) {
    await writeFile(copy, input.bytes);
    return 'model.onnx';
  }
  if ((await stat(input.path)).size > MAX_COPY_BYTES) return input.path;
  await copyFile(input.path, copy);
  return 'model.onnx';
}

function readme(error: unknown, { verify, measure, seed, threads }: SlimRequest, model: string): string {
  const flags = [
    `--verify ${verify}`,
    ...(measure === 'off' ? ['--no-profile'] : []),
    `--seed ${seed} --threads ${threads}`,
  ].join(' ');
  return [
    '# A defect of mcompress',
    '',
    '```',
    `mcompress slim ${model} --recipe recipe.json ${flags} --debug -o out.onnx`,
    '```',
    '',
    `mcompress ${packageVersion()}, Node ${process.versions.node}, ${process.platform} ${process.arch}. External data and`,
    'values of --feed are not copied here.',
    '',
    '```',
    error instanceof Error ? (error.stack ?? error.message) : String(error),
    '```',
    '',
  ].join('\n');
}
