// One model to 8-bit integers, for `quantize` and `slim --int8`: what the flags ask for.
import type { QuantizeOutcome, QuantizeRequest } from '../pipeline/quantization/outcome.js';
import { quantizeFile } from '../pipeline/quantization/quantize-file.js';
import type { Recipe } from '../pipeline/recipe.js';
import { buildQuantizeReport } from '../report/build-quantize-report.js';
import { quantizeCommand } from '../report/quantize-command.js';
import { quantizeLines } from '../report/quantize-terminal.js';
import { DATA_FREE_TEXT, missedText } from '../report/quantize-words.js';
import { dataRequest } from './data-flags.js';
import { readBaseline } from './model-run.js';
import type { CommandInput } from './program.js';
import { quantizeSettings, scoringSamples } from './quantize-flags.js';
import { repeatedWords } from './repeated-flags.js';
import { planOne, runOnSamples } from './sampled-run.js';

/** Replaced in tests. */
export interface Int8Ports {
  readonly quantize: (request: QuantizeRequest) => Promise<QuantizeOutcome>;
}

/** `net.onnx` goes to `net.<ending>.onnx` unless told otherwise. Returns the exit status. */
export async function runInt8(
  input: CommandInput,
  given: Recipe,
  ending: string,
  ports: Int8Ports = { quantize: quantizeFile },
): Promise<number> {
  const { args, flags } = input;
  const settings = quantizeSettings(flags, given.quantize);
  const asked = dataRequest(flags, given);
  const recipe = { ...given, ...(asked?.preprocess ? { preprocess: asked.preprocess } : {}), quantize: settings };
  const scored = scoringSamples(flags, asked, settings);
  return runOnSamples(input, {
    job: await planOne(args, flags, ending, 'quantized'),
    baseline: await readBaseline(flags.baseline, 'quantize'),
    asked,
    journal: flags.journal,
    isLong: settings.maxDrop !== undefined,
    request: (common): QuantizeRequest => ({
      ...common,
      ...settings,
      recipe,
      ...(scored === undefined ? {} : { scoringSamples: scored }),
      ...(flags.calibrationCache === undefined ? {} : { calibration: flags.calibrationCache }),
    }),
    run: ports.quantize,
    report: (request, outcome, setting) =>
      buildQuantizeReport(request, outcome, { ...setting, requireFused: flags.requireFused ? 'on' : 'off' }),
    command: (model) => quantizeCommand(model, recipe, repeatedWords(flags)),
    lines: quantizeLines,
    missedText,
    dataFreeText: ({ calibration }) => (calibration.dataFree === 'yes' ? DATA_FREE_TEXT : undefined),
  });
}
