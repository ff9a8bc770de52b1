// `mcompress slim MODEL...`: runs the recipe over each model, writes the results and their reports.
import { basename } from 'node:path';
import { AppError, InterruptError, UsageError } from '../../base/errors.js';
import type { Recipe } from '../../pipeline/recipe.js';
import { slim, type SlimRequest } from '../../pipeline/slim.js';
import type { BatchEntry } from '../../report/batch-report.js';
import { buildSlimReport } from '../../report/build-slim-report.js';
import { writeReport } from '../../report/json.js';
import type { SlimReport } from '../../report/report.js';
import { slimLines } from '../../report/terminal.js';
import { refuseChoice, refuseWithoutData } from '../combine-flags.js';
import type { CombinePorts } from '../combine-run.js';
import { asDefect, type FailedRun } from '../crash-reproducer.js';
import { deliver, show, type Delivered, type Result, type View } from '../delivery.js';
import type { Job } from '../input-files.js';
import { againstBaseline, planRun, readBaseline, runRequest, type Baseline } from '../model-run.js';
import { twoRuns } from '../one-run.js';
import { choiceOf, type FlagValues } from '../parsed-flags.js';
import type { CommandInput } from '../program.js';
import { INT8_FORM, refuseFlags, refuseSlimFlags } from '../quantize-flags.js';
import { recipeFromFlags } from '../recipe-flags.js';
import type { Terminal } from '../terminal.js';

/** What is the same for every model of one command line. */
interface Batch {
  readonly jobs: readonly Job[];
  readonly flags: FlagValues;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly recipe: Recipe;
  readonly baseline: Baseline<SlimReport> | undefined;
}

/** The command; `ports` are replaced in tests. */
export async function runSlim(input: CommandInput, ports?: CombinePorts): Promise<number> {
  const { flags, terminal } = input;
  const recipe = await recipeFromFlags(flags, (text) => terminal.note(text));
  if (recipe.deepen || recipe.factorize || recipe.prune) return changeModel(input, recipe);
  if (flags.int8 || recipe.quantize) return toIntegers(input, recipe);
  if (flags.data !== undefined || recipe.combine)
    return (await import('../combine-run.js')).runCombining(input, recipe, ports);
  refuseWithoutData(flags);
  return slimModels(input, recipe, 'slim');
}

/** A recipe that replaces blocks, factorizes or prunes: what `slim` calls its flags, these have too. @throws UsageError not-available, conflict */
async function changeModel(input: CommandInput, recipe: Recipe): Promise<number> {
  const { flags } = input;
  if (flags.int8) throw twoRuns();
  const step = recipe.deepen ? 'slim-streamline' : recipe.factorize ? 'factorize-conv' : 'prune-filters';
  refuseFlags(flags, [...INT8_FORM, 'float', 'quantizeTarget'], 'belongs to --int8');
  refuseFlags(flags, ['verify', 'feed'], `has no meaning with -p ${step}: what is lost is measured on --data`);
  const shared = ['maxDrop', 'latency', 'macs', 'params', 'samples'] as const;
  refuseChoice(flags, `-p ${step}`, [...shared, step === 'prune-filters' ? 'classes' : 'size']);
  const { maxDropSlim: maxDropPruned, journal: pruneJournal, ...others } = flags;
  const renamed = {
    ...(maxDropPruned === undefined ? {} : { maxDropPruned }),
    ...(pruneJournal === undefined ? {} : { pruneJournal }),
  };
  const changed = { ...input, flags: { ...others, ...renamed } };
  if (recipe.deepen) return (await import('../deepen-run.js')).runDeepening(changed, recipe, 'slim');
  if (recipe.factorize) return (await import('../factorize-run.js')).runFactorizing(changed, recipe, 'slim');
  return (await import('../prune-run.js')).runPruning(changed, recipe, 'slim');
}

/** @throws UsageError conflict */
async function toIntegers(input: CommandInput, recipe: Recipe): Promise<number> {
  const { flags } = input;
  if (recipe.combine)
    throw new UsageError('conflict', '--int8 and the "combine" of the recipe exclude each other', {
      fix: 'leave one of them out',
    });
  refuseSlimFlags(flags);
  refuseChoice(flags, '--int8', ['maxDrop']);
  const { maxDropSlim: maxDropInt8, ...others } = flags;
  const renamed = maxDropInt8 === undefined ? others : { ...others, maxDropInt8 };
  const { runInt8 } = await import('../int8-run.js');
  return runInt8({ ...input, flags: renamed }, recipe, 'slim');
}

/** Runs a recipe over the models of a command line; `net.onnx` goes to `net.<ending>.onnx` unless told otherwise. */
export async function slimModels(
  { args, flags, terminal, signal }: CommandInput,
  recipe: Recipe,
  ending: string,
): Promise<number> {
  const jobs = await planRun(args, flags, ending);
  const baseline = await readBaseline(flags.baseline, 'slim');
  const batch: Batch = { jobs, flags, terminal, signal, recipe, baseline };
  const [only] = jobs;
  return jobs.length === 1 && only ? runOne(only, batch) : runAll(batch);
}

/** One model: its errors are those of the command. */
async function runOne(job: Job, batch: Batch): Promise<number> {
  return slimOne(job, batch, async (result, delivered) => {
    await show(job, result, delivered, { ...batch, view: VIEW });
    return result.gate === 'met' ? 0 : 1;
  });
}

/** Several models: one bad file does not stop the rest, and the worst status is that of the run. */
async function runAll(batch: Batch): Promise<number> {
  const { jobs, flags, terminal } = batch;
  const entries: BatchEntry[] = [];
  try {
    for (const job of jobs) {
      if (!flags.json) terminal.print(entries.length === 0 ? [] : [[]]);
      entries.push(await runEntry(job, batch));
    }
  } catch (error) {
    if (!(error instanceof InterruptError)) throw error;
    terminal.note(`interrupted: ${entries.length} of ${jobs.length} models were done`);
    return error.exitCode;
  }
  const exitStatus = Math.max(0, ...entries.map((entry) => entry.exitStatus));
  if (flags.json) await terminal.write(writeReport({ version: 1, kind: 'slim-batch', exitStatus, models: entries }));
  const count = (outcome: BatchEntry['outcome']): number => entries.filter((one) => one.outcome === outcome).length;
  const rest = [
    ...(count('gate-not-met') > 0 ? [`${count('gate-not-met')} missed a gate`] : []),
    ...(count('failed') > 0 ? [`${count('failed')} failed`] : []),
  ];
  terminal.note([`${jobs.length} models: ${count('done')} done`, ...rest].join(', '));
  return exitStatus;
}

async function runEntry(job: Job, batch: Batch): Promise<BatchEntry> {
  try {
    return await slimOne(job, batch, async (result, { report, path }) => {
      if (!batch.flags.json) await show(job, result, { report, path }, { ...batch, view: VIEW });
      return {
        input: job.input,
        ...(path === undefined ? {} : { output: path }),
        ...(result.gate === 'met'
          ? { outcome: 'done' as const, exitStatus: 0 }
          : { outcome: 'gate-not-met' as const, exitStatus: 1 }),
        report,
      };
    });
  } catch (error) {
    if (!(error instanceof AppError) || error instanceof InterruptError) throw error;
    batch.terminal.error(error, job.input);
    const { code, message, fix, exitCode } = error;
    const { file = job.input, node, tensor } = error.at;
    return {
      input: job.input,
      outcome: 'failed',
      exitStatus: exitCode,
      error: {
        code,
        message,
        file,
        ...(node === undefined ? {} : { node }),
        ...(tensor === undefined ? {} : { tensor }),
        ...(fix === undefined ? {} : { fix }),
      },
    };
  }
}

/** Slims one model, writes the files, and hands on what `then` makes of it. */
async function slimOne<T>(
  job: Job,
  batch: Batch,
  then: (result: Result<SlimReport>, delivered: Delivered<SlimReport>) => Promise<T>,
): Promise<T> {
  const { flags, baseline } = batch;
  const started = performance.now();
  const request = await buildRequest(job, batch);
  try {
    const outcome = await slim(request);
    try {
      const built = buildSlimReport(request, outcome, performance.now() - started);
      const report = againstBaseline(built, baseline);
      const result = { outcome, report, gate: gateOf(report, flags) };
      return await then(result, await deliver(job, result, flags));
    } finally {
      await outcome.dispose();
    }
  } catch (error) {
    throw await asDefect(error, failedRun(request));
  }
}

function gateOf({ baseline, verification: { verdict } }: SlimReport, flags: FlagValues): Result<SlimReport>['gate'] {
  const strict = flags.strict === true && verdict !== 'agrees' && verdict !== 'skipped';
  return baseline?.verdict === 'regressed' || strict ? 'missed' : 'met';
}

const VIEW: View<SlimReport> = {
  lines: slimLines,
  missed: ({ baseline }) =>
    baseline?.verdict === 'regressed'
      ? `worse than ${baseline.name}`
      : '--strict: the result could not be checked, or a rewrite had to be undone',
};

function failedRun(request: SlimRequest): FailedRun {
  const { verify, measure, seed, threads } = request;
  const flags = [
    `--verify ${verify}`,
    ...(measure === 'off' ? ['--no-profile'] : []),
    `--seed ${seed} --threads ${threads}`,
  ];
  return { ...request, commandLine: (model, recipe) => `slim ${model} --recipe ${recipe} ${flags.join(' ')}` };
}

async function buildRequest(job: Job, { jobs, recipe, ...input }: Batch): Promise<SlimRequest> {
  const { flags } = input;
  const common = await runRequest(job, input);
  const place = jobs.length > 1 ? `${jobs.indexOf(job) + 1}/${jobs.length} ` : '';
  return {
    ...common,
    recipe,
    verify: choiceOf('verify', ['off', 'end', 'each'], flags.verify, 'end'),
    feeds: flags.feed ?? [],
    onStage: (text) => void input.terminal.progress(`${place}${basename(job.input)}: ${text}`),
  };
}
