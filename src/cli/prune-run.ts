// One model with fewer channels, for `prune` and `slim -p prune-filters`: what the flags ask for, the run, gates, files.
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError, InternalError, UsageError } from '../base/errors.js';
import type { InputPort } from '../data/data-set.js';
import type { OpenedData } from '../data/open-data.js';
import type { PruneOutcome, PruneRequest } from '../pipeline/pruning/outcome.js';
import { pruneFile } from '../pipeline/pruning/prune-file.js';
import { budgetOf, type PruneSettings } from '../pipeline/pruning/settings.js';
import type { Recipe } from '../pipeline/recipe.js';
import { compareWithBaseline } from '../report/baseline.js';
import { buildPruneReport } from '../report/build-prune-report.js';
import { pruneCommand } from '../report/prune-command.js';
import type { PruneReport } from '../report/prune-report.js';
import { pruneLines } from '../report/prune-terminal.js';
import { missedText, WEIGHTS_ONLY_TEXT } from '../report/prune-words.js';
import { preparationText } from '../report/sample-options.js';
import { asDefect } from './crash-reproducer.js';
import { dataRequest, openRequested, type DataRequest } from './data-flags.js';
import { deliver, show, type Result, type View } from './delivery.js';
import { FLAGS, type FlagKey } from './flags.js';
import { STDIO, type Job } from './input-files.js';
import { fileOf, modelInput, planRun, readBaseline, type Baseline } from './model-run.js';
import { wholeNumber, type FlagValues } from './parsed-flags.js';
import type { CommandInput } from './program.js';
import { pruneSettings, settledBudget } from './prune-flags.js';
import { shapeFlags } from './shape-flags.js';

/** Replaced in tests. */
export interface PrunePorts {
  readonly prune: (request: PruneRequest) => Promise<PruneOutcome>;
}

/** A run, before it is done. */
interface Planned {
  readonly job: Job;
  readonly recipe: Recipe;
  readonly settings: PruneSettings;
  readonly asked: DataRequest | undefined;
  readonly baseline: Baseline<PruneReport> | undefined;
}

/**
 * `net.onnx` goes to `net.<ending>.onnx` unless told otherwise. Returns the exit status.
 * @throws UsageError not-available where the recipe quantizes, too
 */
export async function runPruning(
  input: CommandInput,
  recipe: Recipe,
  ending: string,
  ports: PrunePorts = { prune: pruneFile },
): Promise<number> {
  const { args, flags } = input;
  if (recipe.quantize)
    throw new UsageError('not-available', 'pruning and quantizing are two runs', {
      fix: 'mcompress prune MODEL -o pruned.onnx, then mcompress quantize pruned.onnx',
    });
  const asked = dataRequest(flags, recipe);
  const settings = settledBudget(pruneSettings(flags, recipe.prune), flags, asked);
  const preprocess = asked?.preprocess ? { preprocess: asked.preprocess } : {};
  const [job, ...more] = await planRun(args, flags, ending);
  if (!job || more.length > 0)
    throw new UsageError('conflict', 'one model at a time can be pruned', { fix: 'run it once for each model' });
  const baseline = await readBaseline(flags.baseline, 'prune');
  return runPlanned(
    input,
    { job, recipe: { ...recipe, ...preprocess, prune: settings }, settings, asked, baseline },
    ports,
  );
}

async function runPlanned(input: CommandInput, planned: Planned, { prune }: PrunePorts): Promise<number> {
  const { flags, terminal, signal } = input;
  const { job, baseline, asked, recipe } = planned;
  const started = performance.now();
  let data: OpenedData | undefined;
  const open =
    asked &&
    (async (inputs: readonly InputPort[], stop: AbortSignal): Promise<OpenedData> => {
      data = await openRequested(asked, inputs, stop);
      return data;
    });
  const request = buildRequest(input, planned, await modelInput(job, signal), open);
  const command = (model: string): string => pruneCommand(model, recipe, repeatedWords(flags));
  try {
    const outcome = await prune(request);
    try {
      const built = buildPruneReport(request, outcome, {
        commandLine: command(job.input),
        data: data && { name: basename(data.path), preparation: preparationText(data) },
        elapsedMs: performance.now() - started,
      });
      const report = baseline
        ? { ...built, baseline: compareWithBaseline(baseline.report, built, baseline.name) }
        : built;
      const missed = missedText(report, strictness(flags));
      const result: Result<PruneReport> = { outcome, report, gate: missed === undefined ? 'met' : 'missed' };
      const delivered = await deliver(job, result, flags);
      await show(job, result, delivered, { flags, terminal, view: viewOf(flags) });
      if (report.samples.dataFree === 'yes' && (flags.json || flags.quiet || job.output === STDIO))
        terminal.warn(WEIGHTS_ONLY_TEXT);
      if (missed === undefined && flags.pruneJournal === undefined && request.journal !== undefined)
        await rm(request.journal, { force: true });
      return missed === undefined ? 0 : 1;
    } finally {
      await outcome.dispose();
    }
  } catch (error) {
    if (error instanceof AppError && !(error instanceof InternalError)) throw error;
    throw await asDefect(error, { ...request, commandLine: (model) => command(model).replace(/^mcompress /, '') });
  }
}

const strictness = (flags: FlagValues): 'strict' | 'usual' => (flags.strict ? 'strict' : 'usual');

const viewOf = (flags: FlagValues): View<PruneReport> => ({
  lines: pruneLines,
  missed: (report) => missedText(report, strictness(flags)) ?? '',
});

function buildRequest(
  { flags, terminal, signal }: CommandInput,
  { job, recipe, settings, asked }: Planned,
  model: PruneRequest['input'],
  open: PruneRequest['openData'],
): PruneRequest {
  const output = fileOf(job, flags);
  const isLong = settings.schedule === 'dropnet' || budgetOf(settings) === undefined;
  const ownJournal = output !== undefined && isLong ? `${output}.journal` : undefined;
  return {
    input: model,
    output,
    recipe,
    settings,
    openData: open,
    ...(asked?.limit === undefined ? {} : { limit: asked.limit }),
    journal: flags.pruneJournal ?? ownJournal,
    ...(flags.layerLatencies === undefined ? {} : { latencyTable: flags.layerLatencies }),
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

/** Flags that are said again as they were given: what no recipe holds. */
const REPEATED = [
  ...(['data', 'labels', 'preprocess', 'limit', 'weightsOnly', 'dataFree', 'pruneJournal', 'layerLatencies'] as const),
  ...(['noProfile', 'input', 'keepOverridable', 'externalData', 'threads', 'seed'] as const),
] as const satisfies readonly FlagKey[];

function repeatedWords(flags: FlagValues): string[] {
  return REPEATED.flatMap((key) => {
    const value: string | boolean | readonly string[] | undefined = flags[key];
    const name = `--${FLAGS[key].name}`;
    if (value === undefined || value === false) return [];
    return value === true ? [name] : [value].flat().flatMap((one) => [name, one]);
  });
}
