// The library's main call: one model in, one model out, with the report as a value.
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../base/errors.js';
import { parseRecipe, RECIPE_VERSION, type RecipeDocument } from '../pipeline/recipe.js';
import { slim, type SlimRequest, type Verify } from '../pipeline/slim.js';
import { buildSlimReport } from './build-slim-report.js';
import { callRequest, type ModelCallOptions } from './call-options.js';
import type { SlimReport } from './report.js';

export interface SlimFileOptions extends ModelCallOptions {
  /** Where to write; default: beside the input as `<name>.slim.onnx`. Must differ from the input. */
  readonly output?: string;
  /** What to do; default: the preset `exact`. */
  readonly recipe?: Omit<RecipeDocument, 'version'>;
  /** Comparison with the original on ONNX Runtime; default `end`. */
  readonly verify?: Verify;
  /** As `--feed`: `FILE.npz`, `name=FILE.npy`, `name=value`. */
  readonly feeds?: readonly string[];
}

export interface SlimFileResult {
  /** Path of the model that was written. */
  readonly output: string;
  readonly report: SlimReport;
}

/**
 * Slims the model at `input` and writes the result.
 * @throws UsageError (recipe, output equal to the input), InputError (model, feeds, output folder), InterruptError
 */
export async function slimFile(input: string, options: SlimFileOptions = {}): Promise<SlimFileResult> {
  const { prune, quantize } = options.recipe ?? {};
  if (prune || quantize)
    throw new UsageError('bad-recipe', `the recipe ${prune ? 'prunes' : 'quantizes'}, and slimFile runs passes`, {
      fix: `call ${prune ? 'pruneFile' : 'quantizeFile'}`,
    });
  const output = options.output ?? join(dirname(input), `${basename(input).replace(/\.onnx$/i, '')}.slim.onnx`);
  const started = performance.now();
  const request: SlimRequest = {
    ...callRequest(options),
    input: { path: input },
    output,
    recipe: parseRecipe({ version: RECIPE_VERSION, ...options.recipe }, 'options.recipe'),
    verify: options.verify ?? 'end',
    feeds: options.feeds ?? [],
  };
  const outcome = await slim(request);
  try {
    const report = buildSlimReport(request, outcome, performance.now() - started);
    await outcome.publish(output);
    return { output, report };
  } finally {
    await outcome.dispose();
  }
}
