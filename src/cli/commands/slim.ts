// `mcompress slim MODEL...`: runs the recipe over each model, writes the results and their reports.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError, InputError, InternalError, InterruptError, UsageError } from '../../base/errors.js';
import { guardReads, type ReadFile } from '../../pipeline/input-guard.js';
import type { Recipe } from '../../pipeline/recipe.js';
import { slim, type SlimRequest } from '../../pipeline/slim.js';
import { compareWithBaseline } from '../../report/baseline.js';
import type { BatchEntry } from '../../report/batch-report.js';
import { buildSlimReport } from '../../report/build-slim-report.js';
import { parseReport, writeReport } from '../../report/json.js';
import { REPORT_ENDINGS } from '../../report/render.js';
import type { SlimReport } from '../../report/report.js';
import { writeCrashReproducer } from '../crash-reproducer.js';
import { planJobs, STDIO, type Job } from '../input-files.js';
import { readStdin } from '../model-input.js';
import { choiceOf, wholeNumber, type FlagValues } from '../parsed-flags.js';
import type { CommandInput, CommandRun } from '../program.js';
import { LOCAL_RECIPE, recipeFromFlags } from '../recipe-flags.js';
import { shapeFlags } from '../shape-flags.js';
import { bestPath, deliver, destinationOf, reportPaths, show, type Delivered, type Result } from '../slim-delivery.js';
import type { Terminal } from '../terminal.js';

/** What is the same for every model of one command line. */
interface Batch {
  readonly jobs: readonly Job[];
  readonly flags: FlagValues;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly recipe: Recipe;
  readonly baseline: { readonly report: SlimReport; readonly name: string } | undefined;
}

export const runSlim: CommandRun = async ({ args, flags, terminal, signal }: CommandInput) => {
  checkFlags(flags);
  const recipe = await recipeFromFlags(flags, (text) => terminal.note(text));
  const jobs = await planJobs(args, flags.output, flags.force ? 'force' : 'refuse');
  if (jobs.length > 1 && flags.report !== undefined)
    throw new UsageError('conflict', 'one --report cannot serve several models', {
      fix: 'leave it out: each model gets its own report beside it',
    });
  if (process.stdout.isTTY && jobs.some((job) => destinationOf(job, flags) === 'stdout') && !flags.json)
    throw new UsageError('conflict', 'a model cannot be shown on a terminal', { fix: 'name a file: -o FILE' });
  if (!flags.force) guardJobs(jobs, flags);
  const batch: Batch = { jobs, flags, terminal, signal, recipe, baseline: await readBaseline(flags.baseline) };
  const [only] = jobs;
  return jobs.length === 1 && only ? runOne(only, batch) : runAll(batch);
};

/** Contradictions and endings. @throws UsageError conflict, bad-value */
function checkFlags(flags: FlagValues): void {
  if (flags.json && flags.output === STDIO)
    throw new UsageError('conflict', '--json and -o - both want stdout', { fix: 'give the model a file name' });
  for (const file of flags.report ?? []) {
    if (!REPORT_ENDINGS.some((ending) => file.toLowerCase().endsWith(`.${ending}`))) {
      throw new UsageError('bad-value', `--report cannot be ${JSON.stringify(file)}`, {
        fix: `end it with ${REPORT_ENDINGS.map((ending) => `.${ending}`).join(', ')}`,
      });
    }
  }
}

/** Neither a report nor the best model of a missed gate may take the place of a file that the run reads. */
function guardJobs(jobs: readonly Job[], flags: FlagValues): void {
  const reads = [...filesRead(flags), ...jobs.map(({ input }) => ({ path: input, what: 'an input' }))];
  for (const job of jobs)
    guardReads(reads, [bestPath(job.output), ...reportPaths(job.output, destinationOf(job, flags), flags)]);
}

/** Files other than models that the run reads. */
function filesRead({ baseline, recipe, feed = [], noRecipe, pass }: FlagValues): ReadFile[] {
  const local = recipe === undefined && !noRecipe && !pass ? LOCAL_RECIPE : undefined;
  return [
    ...(baseline === undefined ? [] : [{ path: baseline, what: 'the baseline' }]),
    ...[recipe, local].flatMap((path) => (path === undefined ? [] : [{ path, what: 'the recipe' }])),
    ...feed.map((text) => ({ path: text.slice(text.indexOf('=') + 1), what: 'a feed' })),
  ];
}

/** One model: its errors are those of the command. */
async function runOne(job: Job, batch: Batch): Promise<number> {
  return slimOne(job, batch, async (result, delivered) => {
    await show(job, result, delivered, batch);
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
      if (!batch.flags.json) await show(job, result, { report, path }, batch);
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
  then: (result: Result, delivered: Delivered) => Promise<T>,
): Promise<T> {
  const { flags, baseline } = batch;
  const started = performance.now();
  const request = await buildRequest(job, batch);
  try {
    const outcome = await slim(request);
    try {
      const built = buildSlimReport(request, outcome, performance.now() - started);
      const report = baseline
        ? { ...built, baseline: compareWithBaseline(baseline.report, built, baseline.name) }
        : built;
      const result = { outcome, report, gate: gateOf(report, flags) };
      return await then(result, await deliver(job, result, flags));
    } finally {
      await outcome.dispose();
    }
  } catch (error) {
    throw error instanceof AppError && !(error instanceof InternalError) ? error : await asDefect(error, request);
  }
}

/** The error of a defect, saying where it can be seen again. */
async function asDefect(error: unknown, request: SlimRequest): Promise<InternalError> {
  // The pipeline has kept a reproducer where a pass failed.
  if (error instanceof InternalError && error.fix !== undefined && error.code !== 'runtime-crashed') return error;
  const folder = await writeCrashReproducer(error, request);
  if (error instanceof InternalError && error.fix !== undefined) {
    const fix = folder === undefined ? error.fix : `${error.fix}; what led to it is in ${folder}`;
    return new InternalError(error.code, error.message, { at: error.at, cause: error, fix });
  }
  const shown = folder === undefined ? 'the output of --debug' : `the folder ${folder}`;
  const fix = `this is a defect of mcompress: please report it, with ${shown}`;
  return error instanceof InternalError
    ? new InternalError(error.code, error.message, { at: error.at, cause: error, fix })
    : new InternalError('unexpected', error instanceof Error ? error.message : String(error), { cause: error, fix });
}

function gateOf({ baseline, verification: { verdict } }: SlimReport, flags: FlagValues): Result['gate'] {
  const strict = flags.strict === true && verdict !== 'agrees' && verdict !== 'skipped';
  return baseline?.verdict === 'regressed' || strict ? 'missed' : 'met';
}

async function buildRequest(job: Job, { jobs, flags, terminal, signal, recipe }: Batch): Promise<SlimRequest> {
  return {
    input: job.input === STDIO ? { bytes: await readStdin(signal), name: 'stdin' } : { path: job.input },
    output: destinationOf(job, flags) === 'file' ? job.output : undefined,
    recipe,
    verify: choiceOf('verify', ['off', 'end', 'each'], flags.verify, 'end'),
    measure: flags.noProfile ? 'off' : 'on',
    compression: flags.noReport && !flags.json && flags.baseline === undefined ? 'skip' : 'measure',
    seed: wholeNumber('seed', flags.seed, 0),
    threads: wholeNumber('threads', flags.threads, 1, 1),
    shapes: shapeFlags('input', flags.input),
    feeds: flags.feed ?? [],
    keepOverridable: flags.keepOverridable === true,
    externalData: flags.externalData ? 'always' : 'auto',
    overwrite: flags.force ? 'force' : 'refuse',
    signal,
    onStage: (text) =>
      void terminal.progress(
        `${jobs.length > 1 ? `${jobs.indexOf(job) + 1}/${jobs.length} ` : ''}${basename(job.input)}: ${text}`,
      ),
  };
}

async function readBaseline(path: string | undefined): Promise<Batch['baseline']> {
  if (path === undefined) return undefined;
  try {
    return { report: parseReport(await readFile(path, 'utf8'), 'slim', path), name: basename(path) };
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new InputError('not-found', 'the baseline report cannot be read', {
      at: { file: path },
      cause,
      fix: 'name the .report.json of an earlier run',
    });
  }
}
