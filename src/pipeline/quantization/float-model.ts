// The float model that is quantized: the original, slimmed under the usual check, and then in the form in which as much as
// possible can run on integers.
import { createFacts } from '../../analysis/inference.js';
import { quantizationOf } from '../../analysis/quantized.js';
import { InputError } from '../../base/errors.js';
import type { Model } from '../../ir/model.js';
import type { DecodedModel } from '../../onnx/decode.js';
import { openModel } from '../../onnx/open.js';
import { findPass } from '../../passes/registry.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { configure, type ConfiguredPass } from '../configured-pass.js';
import { createEvaluator } from '../evaluator.js';
import { matchingPreset, presetPasses, type Recipe } from '../recipe.js';
import { runPasses } from '../run-passes.js';
import { slim, type SlimOutcome } from '../slim.js';
import type { QuantizeRequest } from './outcome.js';

/** From here on weights may have a scale per channel (QuantizeLinear-13). */
const LEAST_OPSET = 13;

/** What lets more run on integers, or run faster there; all exact. */
const PREPARING = [
  'use-global-average-pool',
  'transpose-gemm-weights',
  'use-strided-conv',
  'pad-input-channels',
  'pad-inner-channels',
] as const;

export interface FloatModel {
  readonly slimmed: SlimOutcome;
  /** The slimmed model, read anew and prepared for integers. */
  readonly decoded: DecodedModel;
  readonly warnings: readonly string[];
}

/** @throws InputError unsupported for a model that is quantized already */
export function refuseQuantized(model: Model, file: string): void {
  const found = quantizationOf(model);
  if (found) throw new InputError('unsupported', found.what, { at: { file, node: found.first.label }, fix: found.fix });
}

/**
 * Slims the model of `request` and prepares it. `shapes`: of the inputs of one sample.
 * @throws as `slim`
 */
export async function makeFloatModel(
  request: QuantizeRequest,
  host: RuntimeHost,
  { opset, shapes }: { readonly opset: number; readonly shapes: ReadonlyMap<string, readonly number[]> },
): Promise<FloatModel> {
  const { signal, seed, onStage } = request;
  const slimmed = await slim({
    input: request.input,
    output: undefined,
    recipe: raised(request.recipe, opset),
    verify: 'end',
    measure: 'off',
    compression: request.compression ?? 'measure',
    seed,
    threads: request.threads,
    shapes,
    feeds: [],
    keepOverridable: request.keepOverridable,
    externalData: request.externalData,
    signal,
    ...(onStage ? { onStage } : {}),
  });
  try {
    onStage?.('preparing for integers');
    const decoded = await openModel(slimmed.path, { keepOverridable: request.keepOverridable });
    await runPasses(decoded.model, preparingPasses(request.recipe), {
      createFacts,
      evaluator: createEvaluator(host, signal),
      seed,
      signal,
    });
    return { slimmed, decoded, warnings: slimWarnings(slimmed) };
  } catch (error) {
    await slimmed.dispose();
    throw error;
  }
}

function raised(recipe: Recipe, opset: number): Recipe {
  return (recipe.opset ?? opset) < LEAST_OPSET ? { ...recipe, opset: LEAST_OPSET } : recipe;
}

/** What would take out again the channels of zeros that integer kernels want; idle channels are gone by then. */
const UNDOING: ReadonlySet<string> = new Set(['drop-idle-channels']);

/** The exact passes tidy up behind them, where the recipe has no passes of its own. */
function preparingPasses(recipe: Recipe): ConfiguredPass[] {
  const preparing = PREPARING.flatMap((name) => {
    const pass = findPass(name);
    return pass ? [configure(pass)] : [];
  });
  const exact = matchingPreset(recipe.passes) === 'exact' ? presetPasses('exact') : [];
  return [...exact.filter(({ pass }) => !UNDOING.has(pass.name)), ...preparing];
}

function slimWarnings({ checked: { verdict, reason, warnings } }: SlimOutcome): string[] {
  const unverified = verdict === 'unverified' ? [`the float model could not be checked: ${reason ?? 'no feeds'}`] : [];
  return [...unverified, ...warnings];
}
