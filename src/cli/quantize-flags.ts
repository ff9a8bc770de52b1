// The flags of quantization: what they ask for, on top of a recipe, and which of them have no meaning together.
import { UsageError } from '../base/errors.js';
import { CALIBRATOR_NAMES } from '../fit/calibrators/registry.js';
import { DEFAULT_SETTINGS, ROUNDINGS, TARGET_NAMES, type QuantizeSettings } from '../pipeline/quantization/settings.js';
import type { DataRequest } from './data-flags.js';
import { FLAGS, type FlagKey } from './flags.js';
import { choiceOf, notNegative, wholeNumber, type FlagValues } from './parsed-flags.js';

/** What says how integers are made. */
export const INT8_FORM = [
  ...(['calibrationSamples', 'calibrator', 'rounding', 'noEqualize', 'noRefine', 'noBiasCorrection'] as const),
  ...(['requireFused', 'calibrationCache'] as const),
] as const satisfies readonly FlagKey[];

/** Flags that only mean something for int8; `float` and `quantizeTarget` mean something for fp16 and dynamic, too. */
const INT8_ONLY = [
  ...(['data', 'labels', 'preprocess', 'limit', 'dataFree', 'maxDropInt8', 'journal', 'layerLatencies'] as const),
  ...INT8_FORM,
] as const satisfies readonly FlagKey[];

/** @throws UsageError conflict when one of `keys` was given; `why` ends the sentence that begins with the flag */
export function refuseFlags(flags: FlagValues, keys: readonly FlagKey[], why: string, fix?: string): void {
  const stray = keys.find((key) => flags[key] !== undefined);
  if (stray === undefined) return;
  throw new UsageError('conflict', `--${FLAGS[stray].name} ${why}`, fix === undefined ? {} : { fix });
}

/** For runs that quantize nothing to int8. @throws UsageError conflict */
export function refuseInt8Flags(
  flags: FlagValues,
  why: string,
  also: readonly FlagKey[] = ['float', 'quantizeTarget'],
): void {
  refuseFlags(flags, [...INT8_ONLY, ...also], why);
}

/** Flags of `slim` that quantization does otherwise. @throws UsageError conflict */
export function refuseSlimFlags(flags: FlagValues): void {
  refuseFlags(
    flags,
    ['verify'],
    'has no meaning with --int8: the outputs change, and are scored on the samples of --data',
  );
  refuseFlags(flags, ['feed'], 'has no meaning with --int8: inputs are the samples of --data');
}

/** The settings of the flags, those of the recipe where they are silent. @throws UsageError bad-value */
export function quantizeSettings(flags: FlagValues, recipe: QuantizeSettings = DEFAULT_SETTINGS): QuantizeSettings {
  const { calibrator, float, maxDropInt8, noEqualize, noRefine, noBiasCorrection, calibrationSamples } = flags;
  return {
    target: choiceOf('quantizeTarget', TARGET_NAMES, flags.quantizeTarget, recipe.target),
    calibrators: calibrator ? CALIBRATOR_NAMES.filter((name) => calibrator.includes(name)) : recipe.calibrators,
    calibrationSamples: wholeNumber('calibrationSamples', calibrationSamples, recipe.calibrationSamples, 1),
    equalize: noEqualize ? 'off' : recipe.equalize,
    refineRanges: noRefine ? 'off' : recipe.refineRanges,
    correctBiases: noBiasCorrection ? 'off' : recipe.correctBiases,
    rounding: choiceOf('rounding', ROUNDINGS, flags.rounding, recipe.rounding),
    float: [...new Set([...recipe.float, ...(float ?? [])])],
    maxDrop: maxDropInt8 === undefined ? recipe.maxDrop : notNegative('maxDropInt8', maxDropInt8, 0),
  };
}

/** Most samples to score with; undefined for all that do not calibrate. @throws UsageError conflict, no-input */
export function scoringSamples(
  flags: FlagValues,
  asked: DataRequest | undefined,
  { calibrationSamples, maxDrop }: QuantizeSettings,
): number | undefined {
  if (asked && flags.dataFree)
    throw new UsageError('conflict', '--data-free means: without --data', { fix: 'leave one of them out' });
  if (!asked && !flags.dataFree)
    throw new UsageError('no-input', 'there is nothing to calibrate with', {
      fix: 'say where some hundred typical samples are: --data PATH (docs/data.md); or guess without any, at a loss: --data-free',
    });
  if (!asked && flags.calibrationCache !== undefined)
    throw new UsageError('conflict', '--calibration needs --data, the samples that the cache was made of');
  if (!asked && maxDrop !== undefined)
    throw new UsageError('conflict', '--max-drop needs --data: without samples no loss can be measured');
  if (asked?.limit === undefined) return undefined;
  if (asked.limit <= calibrationSamples)
    throw new UsageError(
      'conflict',
      `--limit ${asked.limit} leaves nothing to score with: ${calibrationSamples} calibrate`,
      { fix: 'raise --limit, or lower --calibration-samples' },
    );
  return asked.limit - calibrationSamples;
}
