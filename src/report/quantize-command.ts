// The command that quantizes the same again, ready to paste.
import { DEFAULT_SETTINGS, type QuantizeSettings } from '../pipeline/quantization/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { commandLine, valuedWords } from './command-line.js';

/** The whole command line; `given` are the words that no recipe holds. */
export function quantizeCommand(model: string, recipe: Recipe, given: readonly string[]): string {
  return commandLine('quantize', model, recipe, [...settingWords(recipe.quantize ?? DEFAULT_SETTINGS), ...given]);
}

function settingWords(settings: QuantizeSettings): string[] {
  const { target, calibrators, calibrationSamples, equalize, refineRanges, correctBiases, rounding, float, maxDrop } =
    settings;
  const usual = DEFAULT_SETTINGS;
  return [
    ...(target === usual.target ? [] : ['--target', target]),
    ...(calibrators.join() === usual.calibrators.join() ? [] : calibrators.flatMap((name) => ['--calibrator', name])),
    ...(calibrationSamples === usual.calibrationSamples ? [] : ['--calibration-samples', String(calibrationSamples)]),
    ...(equalize === 'off' ? ['--no-equalize'] : []),
    ...(refineRanges === 'off' ? ['--no-refine'] : []),
    ...(correctBiases === 'off' ? ['--no-bias-correction'] : []),
    ...(rounding === usual.rounding ? [] : ['--rounding', rounding]),
    ...float.flatMap((node) => ['--float', node]),
    ...valuedWords({ 'max-drop': maxDrop }),
  ];
}
