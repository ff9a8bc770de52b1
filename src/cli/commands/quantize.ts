// `mcompress quantize MODEL --data PATH`: 8-bit integers; `--fp16` and `--dynamic`: passes that need no data, run as `slim` runs
// passes.
import { UsageError } from '../../base/errors.js';
import { findPass } from '../../passes/registry.js';
import { configure, type ConfiguredPass } from '../../pipeline/configured-pass.js';
import type { Recipe } from '../../pipeline/recipe.js';
import { refuseOtherRuns } from '../one-run.js';
import type { FlagValues } from '../parsed-flags.js';
import type { CommandInput, CommandRun } from '../program.js';
import { refuseFlags, refuseInt8Flags } from '../quantize-flags.js';
import { recipeFromFlags } from '../recipe-flags.js';
import { slimModels } from './slim.js';

export const runQuantize: CommandRun = async ({ flags: given, ...rest }) => {
  const { quantized, ...flags } = given;
  const input: CommandInput = { ...rest, flags: quantized === undefined ? flags : { ...flags, output: quantized } };
  const recipe = await recipeFromFlags(flags, (text) => input.terminal.note(text));
  refuseOtherRuns(recipe, 'quantize');
  const form = otherForm(flags, recipe);
  if (form) return slimModels(input, { ...recipe, passes: [...recipe.passes, form.pass] }, form.ending);
  const { runInt8 } = await import('../int8-run.js');
  return runInt8(input, recipe, 'int8');
};

/** The pass that stands in the place of int8. @throws UsageError conflict */
function otherForm(flags: FlagValues, recipe: Recipe): { pass: ConfiguredPass; ending: string } | undefined {
  const { fp16, dynamic, float, quantizeTarget } = flags;
  if (!fp16 && !dynamic) return undefined;
  const name = fp16 ? '--fp16' : '--dynamic';
  if (fp16 && dynamic)
    throw new UsageError('conflict', '--fp16 and --dynamic cannot be given together', { fix: 'choose one of them' });
  if (recipe.quantize)
    throw new UsageError('conflict', `${name} and the "quantize" of the recipe exclude each other`, {
      fix: 'leave one of them out',
    });
  const fix = 'leave it out; what is lost: mcompress eval OUT --reference MODEL --data PATH';
  refuseFlags(flags, ['data', 'maxDropInt8'], `has no meaning with ${name}, which looks at no samples`, fix);
  refuseInt8Flags(flags, `has no meaning with ${name}`, fp16 ? ['quantizeTarget'] : ['float']);
  if (quantizeTarget === 'arm64')
    throw new UsageError('not-available', '--dynamic is made for x86', { fix: 'leave --target out' });
  return fp16
    ? { pass: passOf('convert-fp16', { block: (float ?? []).join('+') }), ending: 'fp16' }
    : { pass: passOf('quantize-dynamic', { 'weight-bits': quantizeTarget === 'x64-avx2' ? 7 : 8 }), ending: 'dynamic' };
}

function passOf(name: string, options: Readonly<Record<string, unknown>>): ConfiguredPass {
  const pass = findPass(name);
  if (!pass) throw new TypeError(`no pass ${name}`);
  return configure(pass, options);
}
