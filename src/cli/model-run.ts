// What runs that write a model have in common: which models, what may not be overwritten, the baseline.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError, InputError, UsageError } from '../base/errors.js';
import { guardReads, type ReadFile } from '../pipeline/input-guard.js';
import type { RunRequest } from '../pipeline/run-request.js';
import type { SlimRequest } from '../pipeline/slim.js';
import { compareWithBaseline } from '../report/baseline.js';
import { parseReport } from '../report/json.js';
import type { ReportKind, ReportKinds } from '../report/schema.js';
import { bestPath } from '../pipeline/best-path.js';
import { destinationOf, reportPaths } from './delivery.js';
import { planJobs, STDIO, type Job } from './input-files.js';
import { readStdin } from './model-input.js';
import { wholeNumber, type FlagValues } from './parsed-flags.js';
import type { CommandInput } from './program.js';
import { LOCAL_RECIPE } from './recipe-flags.js';
import { checkReportFiles } from './report-output.js';
import { shapeFlags } from './shape-flags.js';

/**
 * The models of a command line and where each goes, checked before any work is done.
 * @throws UsageError conflict, bad-value, no-input, would-overwrite
 */
export async function planRun(args: readonly string[], flags: FlagValues, ending: string): Promise<Job[]> {
  if (flags.json && flags.output === STDIO)
    throw new UsageError('conflict', '--json and -o - both want stdout', { fix: 'give the model a file name' });
  checkReportFiles(flags.report);
  const jobs = await planJobs(args, flags.output, { overwrite: flags.force ? 'force' : 'refuse', ending });
  if (jobs.length > 1 && flags.report !== undefined)
    throw new UsageError('conflict', 'one --report cannot serve several models', {
      fix: 'leave it out: each model gets its own report beside it',
    });
  if (process.stdout.isTTY && jobs.some((job) => destinationOf(job, flags) === 'stdout') && !flags.json)
    throw new UsageError('conflict', 'a model cannot be shown on a terminal', { fix: 'name a file: -o FILE' });
  if (!flags.force) guardJobs(jobs, flags);
  return jobs;
}

/** Neither a report nor the best model of a missed gate may take the place of a file that the run reads. */
function guardJobs(jobs: readonly Job[], flags: FlagValues): void {
  const reads = [...filesRead(flags), ...jobs.map(({ input }) => ({ path: input, what: 'an input' }))];
  for (const job of jobs)
    guardReads(reads, [bestPath(job.output), ...reportPaths(job.output, destinationOf(job, flags), flags)]);
}

/** Files other than models that the run reads. */
function filesRead(flags: FlagValues): ReadFile[] {
  const { baseline, recipe, feed = [], noRecipe, pass, labels, data } = flags;
  const local = recipe === undefined && !noRecipe && !pass ? LOCAL_RECIPE : undefined;
  const named = [
    { path: baseline, what: 'the baseline' },
    { path: recipe ?? local, what: 'the recipe' },
    { path: labels, what: 'the labels' },
    { path: data?.replace(/#.*$/, ''), what: 'the data' },
  ];
  return [
    ...named.flatMap(({ path, what }) => (path === undefined ? [] : [{ path, what }])),
    ...feed.map((text) => ({ path: text.slice(text.indexOf('=') + 1), what: 'a feed' })),
  ];
}

/** The model of a job as runs take it. @throws as `readStdin` */
async function modelInput({ input }: Job, signal: AbortSignal): Promise<RunRequest['input']> {
  return input === STDIO ? { bytes: await readStdin(signal), name: 'stdin' } : { path: input };
}

/** What flags say to every run that writes a model. @throws UsageError bad-value; as `readStdin` */
export async function runRequest(
  job: Job,
  { flags, terminal, signal }: Pick<CommandInput, 'flags' | 'terminal' | 'signal'>,
): Promise<Omit<RunRequest, 'recipe'> & Pick<SlimRequest, 'shapes'>> {
  return {
    input: await modelInput(job, signal),
    output: destinationOf(job, flags) === 'file' ? job.output : undefined,
    measure: flags.noProfile ? 'off' : 'on',
    compression: flags.noReport && !flags.json && flags.baseline === undefined ? 'skip' : 'measure',
    seed: wholeNumber('seed', flags.seed, 0),
    threads: wholeNumber('threads', flags.threads, 1, 1),
    shapes: shapeFlags('input', flags.input),
    keepOverridable: flags.keepOverridable === true,
    externalData: flags.externalData ? 'always' : 'auto',
    overwrite: flags.force ? 'force' : 'refuse',
    signal,
    onStage: (text) => void terminal.progress(`${basename(job.input)}: ${text}`),
  };
}

/** An earlier report, and the name of its file. */
export interface Baseline<R> {
  readonly report: R;
  readonly name: string;
}

/** The report of `--baseline`. @throws InputError not-found, bad-report */
export async function readBaseline<K extends ReportKind>(
  path: string | undefined,
  kind: K,
): Promise<Baseline<ReportKinds[K]> | undefined> {
  if (path === undefined) return undefined;
  try {
    return { report: parseReport(await readFile(path, 'utf8'), kind, path), name: basename(path) };
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new InputError('not-found', 'the baseline report cannot be read', {
      at: { file: path },
      cause,
      fix: 'name the .report.json of an earlier run',
    });
  }
}

/** The report, with what became of the figures of an earlier one where there is one. */
export function againstBaseline<R extends Parameters<typeof compareWithBaseline>[0]>(
  report: R,
  baseline: Baseline<R> | undefined,
): R {
  return baseline ? { ...report, baseline: compareWithBaseline(baseline.report, report, baseline.name) } : report;
}
