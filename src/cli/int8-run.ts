// One model to 8-bit integers, for `quantize` and `slim --int8`: what the flags ask for, the run, gates, files.
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError, InternalError, UsageError } from '../base/errors.js';
import type { InputPort } from '../data/data-set.js';
import type { OpenedData } from '../data/open-data.js';
import type { QuantizeOutcome, QuantizeRequest } from '../pipeline/quantization/outcome.js';
import { quantizeFile } from '../pipeline/quantization/quantize-file.js';
import type { QuantizeSettings } from '../pipeline/quantization/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { compareWithBaseline } from '../report/baseline.js';
import { buildQuantizeReport } from '../report/build-quantize-report.js';
import type { QuantizeReport } from '../report/quantize-report.js';
import { preparationText } from '../report/sample-options.js';
import { quantizeLines } from '../report/quantize-terminal.js';
import { DATA_FREE_TEXT, missedText } from '../report/quantize-words.js';
import { asDefect } from './crash-reproducer.js';
import { dataRequest, openRequested, type DataRequest } from './data-flags.js';
import { deliver, show, type Result, type View } from './delivery.js';
import { STDIO, type Job } from './input-files.js';
import { int8Words } from './int8-words.js';
import { fileOf, modelInput, planRun, readBaseline, type Baseline } from './model-run.js';
import { wholeNumber, type FlagValues } from './parsed-flags.js';
import type { CommandInput } from './program.js';
import { quantizeSettings, scoringSamples } from './quantize-flags.js';
import { shapeFlags } from './shape-flags.js';

/** Replaced in tests. */
export interface Int8Ports {
  readonly quantize: (request: QuantizeRequest) => Promise<QuantizeOutcome>;
}

/** A run, before it is done. */
interface Planned {
  readonly job: Job;
  readonly recipe: Recipe;
  readonly settings: QuantizeSettings;
  readonly asked: DataRequest | undefined;
  readonly scoringSamples: number | undefined;
  readonly baseline: Baseline<QuantizeReport> | undefined;
}

/** `net.onnx` goes to `net.<ending>.onnx` unless told otherwise. Returns the exit status. */
export async function runInt8(
  input: CommandInput,
  recipe: Recipe,
  ending: string,
  ports: Int8Ports = { quantize: quantizeFile },
): Promise<number> {
  const { args, flags } = input;
  const settings = quantizeSettings(flags, recipe.quantize);
  const asked = dataRequest(flags, recipe);
  const planned = {
    recipe: { ...recipe, ...(asked?.preprocess ? { preprocess: asked.preprocess } : {}), quantize: settings },
    settings,
    asked,
    scoringSamples: scoringSamples(flags, asked, settings),
  };
  const [job, ...more] = await planRun(args, flags, ending);
  if (!job || more.length > 0)
    throw new UsageError('conflict', 'one model at a time can be quantized', { fix: 'run it once for each model' });
  return runPlanned(input, { ...planned, job, baseline: await readBaseline(flags.baseline, 'quantize') }, ports);
}

async function runPlanned(input: CommandInput, planned: Planned, { quantize }: Int8Ports): Promise<number> {
  const { flags, terminal, signal } = input;
  const { job, baseline, asked } = planned;
  const started = performance.now();
  let data: OpenedData | undefined;
  const open =
    asked &&
    (async (inputs: readonly InputPort[], stop: AbortSignal): Promise<OpenedData> => {
      data = await openRequested(asked, inputs, stop);
      return data;
    });
  const request = buildRequest(input, planned, await modelInput(job, signal), open);
  const commandLine = int8Words(job.input, flags, planned.recipe);
  try {
    const outcome = await quantize(request);
    try {
      const built = buildQuantizeReport(request, outcome, {
        commandLine,
        data: data && { name: basename(data.path), preparation: preparationText(data) },
        requireFused: flags.requireFused ? 'on' : 'off',
        elapsedMs: performance.now() - started,
      });
      const report = baseline
        ? { ...built, baseline: compareWithBaseline(baseline.report, built, baseline.name) }
        : built;
      const result: Result<QuantizeReport> = {
        outcome,
        report,
        gate: missedText(report, strictness(flags)) === undefined ? 'met' : 'missed',
      };
      const delivered = await deliver(job, result, flags);
      await show(job, result, delivered, { flags, terminal, view: viewOf(flags) });
      if (report.calibration.dataFree === 'yes' && (flags.json || flags.quiet || job.output === STDIO))
        terminal.warn(DATA_FREE_TEXT);
      if (result.gate === 'met' && flags.journal === undefined && request.journal !== undefined)
        await rm(request.journal, { force: true });
      return result.gate === 'met' ? 0 : 1;
    } finally {
      await outcome.dispose();
    }
  } catch (error) {
    if (error instanceof AppError && !(error instanceof InternalError)) throw error;
    throw await asDefect(error, {
      ...request,
      commandLine: (model) => int8Words(model, flags, planned.recipe).replace(/^mcompress /, ''),
    });
  }
}

const strictness = (flags: FlagValues): 'strict' | 'usual' => (flags.strict ? 'strict' : 'usual');

const viewOf = (flags: FlagValues): View<QuantizeReport> => ({
  lines: quantizeLines,
  missed: (report) => missedText(report, strictness(flags)) ?? '',
});

function buildRequest(
  { flags, terminal, signal }: CommandInput,
  { job, recipe, settings, scoringSamples: scored }: Planned,
  model: QuantizeRequest['input'],
  open: QuantizeRequest['openData'],
): QuantizeRequest {
  const output = fileOf(job, flags);
  const searchJournal = output !== undefined && settings.maxDrop !== undefined ? `${output}.journal` : undefined;
  const { layerLatencies, calibrationCache } = flags;
  return {
    ...settings,
    input: model,
    output,
    recipe,
    openData: open,
    ...(scored === undefined ? {} : { scoringSamples: scored }),
    journal: flags.journal ?? searchJournal,
    ...(layerLatencies === undefined ? {} : { latencyTable: layerLatencies }),
    ...(calibrationCache === undefined ? {} : { calibration: calibrationCache }),
    measure: flags.noProfile ? 'off' : 'on',
    shapes: shapeFlags('input', flags.input),
    compression: flags.noReport && !flags.json && flags.baseline === undefined ? 'skip' : 'measure',
    seed: wholeNumber('seed', flags.seed, 0),
    threads: wholeNumber('threads', flags.threads, 1, 1),
    keepOverridable: flags.keepOverridable === true,
    externalData: flags.externalData ? 'always' : 'auto',
    overwrite: flags.force ? 'force' : 'refuse',
    signal,
    onStage: (text) => void terminal.progress(`${basename(job.input)}: ${text}`),
  };
}
