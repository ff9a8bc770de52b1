// A run on samples as a call of the library, whatever it does to the model: the request, the report, the end.
import { parseRecipe, RECIPE_VERSION, type Recipe, type RecipeDocument } from '../pipeline/recipe.js';
import type { SampledRunOutcome } from '../pipeline/run-outcome.js';
import type { SampledRunRequest } from '../pipeline/run-request.js';
import type { SampledSetting } from './build-sampled-report.js';
import {
  optionWords,
  publishResult,
  sampledCallRequest,
  type CallResult,
  type SampledCallOptions,
} from './call-options.js';
import type { FileFacts } from './facts.js';
import { samplesOf, type SampleOptions } from './sample-options.js';

/** What all such calls are told besides. */
export interface WrittenCallOptions extends SampledCallOptions {
  /** Where to write; default: beside the input under a name of the call. Must differ from the input. */
  readonly output?: string;
  /** What to do before; default: the preset `exact`. It holds settings of the call, too. */
  readonly recipe?: Omit<RecipeDocument, 'version'>;
}

/** A call before it is made. */
export interface SampledCall<Q extends SampledRunRequest, O extends SampledRunOutcome, R> {
  /** The result lies beside the input as `<name>.<ending>.onnx` unless told otherwise. */
  readonly ending: string;
  /** Undefined: none are looked at. */
  readonly samples: SampleOptions | undefined;
  /** Flags of the verb alone, of what was asked for beside the recipe. */
  words(request: Q): readonly string[];
  /** The request, of a part that all have and the recipe as it was given. */
  request(common: Omit<SampledRunRequest, 'recipe'>, recipe: Recipe): Q;
  run(request: Q): Promise<O>;
  report(request: Q, outcome: O, setting: SampledSetting): R;
  command(model: string, recipe: Recipe, words: readonly string[]): string;
  missedText(report: R, mode: 'usual'): string | undefined;
}

/** Runs a call and writes its result. @throws UsageError (recipe, options), and what the run throws */
export async function runSampledCall<
  Q extends SampledRunRequest,
  O extends SampledRunOutcome,
  R extends { readonly output?: FileFacts | undefined },
>(input: string, options: WrittenCallOptions, call: SampledCall<Q, O, R>): Promise<CallResult<R>> {
  const started = performance.now();
  const output = options.output ?? `${input.replace(/\.onnx$/i, '')}.${call.ending}.onnx`;
  const recipe = parseRecipe({ version: RECIPE_VERSION, ...options.recipe }, 'options.recipe');
  const source = samplesOf(call.samples, recipe.preprocess);
  const common = { ...sampledCallRequest(options), input: { path: input }, output, openData: source.open };
  const request = call.request(common, recipe);
  const outcome = await call.run(request);
  try {
    const words = optionWords(options, call.samples, call.words(request));
    const report = call.report(request, outcome, {
      commandLine: call.command(input, request.recipe, words),
      data: source.facts(),
      elapsedMs: performance.now() - started,
    });
    return await publishResult(outcome, output, { report, missed: call.missedText(report, 'usual') });
  } finally {
    await outcome.dispose();
  }
}
