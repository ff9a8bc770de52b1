// The command that quantizes the same again, ready to paste.
import type { Recipe } from '../pipeline/recipe.js';
import { DEFAULT_SETTINGS, type QuantizeSettings } from '../pipeline/quantization/settings.js';
import { recipeWords, shellWord } from '../report/build-slim-report.js';
import { FLAGS, type FlagKey } from './flags.js';
import type { FlagValues } from './parsed-flags.js';

/** Flags that are said again as they were given. */
const REPEATED = [
  ...(['data', 'labels', 'preprocess', 'limit', 'dataFree', 'requireFused', 'journal', 'layerLatencies'] as const),
  ...(['calibrationCache'] as const),
  ...(['noProfile', 'input', 'keepOverridable', 'externalData', 'threads', 'seed'] as const),
] as const satisfies readonly FlagKey[];

/** The whole command line, whether settings came from flags or from a recipe. */
export function int8Words(model: string, flags: FlagValues, recipe: Recipe): string {
  const given = REPEATED.flatMap((key) => {
    const value: string | boolean | readonly string[] | undefined = flags[key];
    const name = `--${FLAGS[key].name}`;
    if (value === undefined || value === false) return [];
    return value === true ? [name] : [value].flat().flatMap((one) => [name, one]);
  });
  const words = [
    'mcompress',
    'quantize',
    model,
    ...recipeWords(recipe),
    ...settingWords(recipe.quantize ?? DEFAULT_SETTINGS),
  ];
  return [...words, ...given].map(shellWord).join(' ');
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
    ...(maxDrop === undefined ? [] : ['--max-drop', String(maxDrop)]),
  ];
}
