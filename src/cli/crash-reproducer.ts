// What is needed to see a defect of mcompress again: the model, the recipe, the command, the stack.
import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, InternalError } from '../base/errors.js';
import { packageVersion } from '../base/version.js';
import { recipeDocument } from '../pipeline/recipe.js';
import type { RunRequest } from '../pipeline/run-request.js';

/** Larger models are named, not copied. */
const MAX_COPY_BYTES = 256 * 2 ** 20;

/** A run that failed. */
export interface FailedRun extends Pick<RunRequest, 'input' | 'output' | 'recipe'> {
  /** What leads to it, for a model and a recipe of these names; without `mcompress`. */
  commandLine(model: string, recipe: string): string;
}

/**
 * Writes the folder `<output>.reproducer` and returns its path; undefined where nothing is written (dry run, stdout) or
 * the disk refuses: the error itself must still be told.
 */
async function writeCrashReproducer(error: unknown, run: FailedRun): Promise<string | undefined> {
  const { input, output, recipe } = run;
  if (output === undefined) return undefined;
  const folder = `${output}.reproducer`;
  try {
    await mkdir(folder, { recursive: true });
    const model = await keepModel(input, join(folder, 'model.onnx'));
    await writeFile(join(folder, 'recipe.json'), `${JSON.stringify(recipeDocument(recipe), undefined, 2)}\n`);
    await writeFile(join(folder, 'README.md'), readme(error, run.commandLine(model, 'recipe.json')));
    return folder;
  } catch {
    return undefined;
  }
}

/** The name of the model to give to the command: a copy where it is not too large. */
async function keepModel(input: RunRequest['input'], copy: string): Promise<string> {
  if ('bytes' in input) {
    await writeFile(copy, input.bytes);
    return 'model.onnx';
  }
  if ((await stat(input.path)).size > MAX_COPY_BYTES) return input.path;
  await copyFile(input.path, copy);
  return 'model.onnx';
}

function readme(error: unknown, commandLine: string): string {
  return [
    '# A defect of mcompress',
    '',
    '```',
    `mcompress ${commandLine} --debug -o out.onnx`,
    '```',
    '',
    `mcompress ${packageVersion()}, Node ${process.versions.node}, ${process.platform} ${process.arch}. External data, samples`,
    'and values of --feed are not copied here.',
    '',
    '```',
    error instanceof Error ? (error.stack ?? error.message) : String(error),
    '```',
    '',
  ].join('\n');
}

/** The error of a defect, saying where it can be seen again; errors that are none as they are. */
export async function asDefect(error: unknown, run: FailedRun): Promise<AppError> {
  if (error instanceof AppError && !(error instanceof InternalError)) return error;
  // The pipeline has kept a reproducer where a pass failed.
  if (error instanceof InternalError && error.fix !== undefined && error.code !== 'runtime-crashed') return error;
  const folder = await writeCrashReproducer(error, run);
  if (error instanceof InternalError && error.fix !== undefined) {
    const fix = folder === undefined ? error.fix : `${error.fix}; what led to it is in ${folder}`;
    return new InternalError(error.code, error.message, { at: error.at, cause: error, fix });
  }
  const shown = folder === undefined ? 'the output of --debug' : `the folder ${folder}`;
  const fix = `this is a defect of mcompress: please report it, with ${shown}`;
  return error instanceof InternalError
    ? new InternalError(error.code, error.message, { at: error.at, cause: error, fix })
    : new InternalError('unexpected', error instanceof Error ? error.message : String(error), { cause: error, fix });
}
