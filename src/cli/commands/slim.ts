// `mcompress slim MODEL...`: runs the recipe over each model, writes the results and their reports.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { AppError, InputError, InterruptError, UsageError } from '../../base/errors.js';
import type { Recipe } from '../../pipeline/recipe.js';
import { slim, type SlimOutcome, type SlimRequest } from '../../pipeline/slim.js';
import { compareWithBaseline } from '../../report/baseline.js';
import { buildSlimReport } from '../../report/build-slim-report.js';
import { parseReport, writeReport } from '../../report/json.js';
import { renderReportFile, REPORT_ENDINGS } from '../../report/render.js';
import type { SlimReport } from '../../report/report.js';
import { slimLines } from '../../report/terminal.js';
import { planJobs, STDIO, type Job } from '../input-files.js';
import { readStdin } from '../model-input.js';
import { choiceOf, wholeNumber, type FlagValues } from '../parsed-flags.js';
import type { CommandInput, CommandRun } from '../program.js';
import { recipeFromFlags } from '../recipe-flags.js';
import { replaceFile } from '../replace-file.js';
import { shapeFlags } from '../shape-flags.js';
import type { Terminal } from '../terminal.js';

/** What is the same for every model of one command line. */
interface Batch {
  readonly flags: FlagValues;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly recipe: Recipe;
  readonly baseline: { readonly report: SlimReport; readonly name: string } | undefined;
}

export const runSlim: CommandRun = async ({ args, flags, terminal, signal }: CommandInput) => {
  if (flags.json && flags.output === STDIO)
    throw new UsageError('conflict', '--json and -o - both want stdout', { fix: 'give the model a file name' });
  for (const file of flags.report ?? []) {
    if (!REPORT_ENDINGS.some((ending) => file.endsWith(`.${ending}`))) {
      throw new UsageError('bad-value', `--report cannot be ${JSON.stringify(file)}`, {
        fix: `end it with ${REPORT_ENDINGS.map((ending) => `.${ending}`).join(', ')}`,
      });
    }
  }
  const recipe = await recipeFromFlags(flags, (text) => terminal.note(text));
  const jobs = await planJobs(args, flags.output, flags.force ? 'force' : 'refuse');
  if (jobs.length > 1 && flags.report !== undefined)
    throw new UsageError('conflict', 'one --report cannot serve several models', {
      fix: 'leave it out: each model gets its own report beside it',
    });
  const batch: Batch = { flags, terminal, signal, recipe, baseline: await readBaseline(flags.baseline) };
  let worst = 0;
  for (const job of jobs) {
    if (jobs.length > 1) terminal.note(`${job.input}:`);
    worst = Math.max(worst, await runJob(job, batch, jobs.length));
  }
  return worst;
};

/** One model; with several, its errors are printed and the rest goes on. */
async function runJob(job: Job, batch: Batch, count: number): Promise<number> {
  try {
    return await slimOne(job, batch);
  } catch (error) {
    if (count === 1 || !(error instanceof AppError) || error instanceof InterruptError) throw error;
    batch.terminal.error(error, job.input);
    return error.exitCode;
  }
}

async function slimOne(job: Job, batch: Batch): Promise<number> {
  const { flags } = batch;
  const started = performance.now();
  const request = await buildRequest(job, batch);
  const outcome = await slim(request);
  try {
    const report = finish(buildSlimReport(request, outcome, performance.now() - started), batch);
    const passed =
      report.baseline?.verdict !== 'regressed' &&
      !(flags.strict && report.verification.verdict !== 'agrees' && report.verification.verdict !== 'skipped');
    await deliver(job, { outcome, report, passed }, batch);
    return passed ? 0 : 1;
  } finally {
    await outcome.dispose();
  }
}

async function buildRequest(job: Job, { flags, terminal, signal, recipe }: Batch): Promise<SlimRequest> {
  const publishes = !flags.dryRun && job.output !== STDIO;
  return {
    input: job.input === STDIO ? { bytes: await readStdin(), name: 'stdin' } : { path: job.input },
    output: publishes ? job.output : undefined,
    recipe,
    verify: choiceOf('verify', ['off', 'end', 'each'], flags.verify, 'end'),
    measure: flags.noProfile ? 'off' : 'on',
    seed: wholeNumber('seed', flags.seed, 0),
    threads: wholeNumber('threads', flags.threads, 1, 1),
    shapes: shapeFlags('input', flags.input),
    feeds: flags.feed ?? [],
    keepOverridable: flags.keepOverridable === true,
    externalData: flags.externalData ? 'always' : 'auto',
    signal,
    onStage: (text) => void terminal.progress(`${basename(job.input)}: ${text}`),
  };
}

/** The report with the comparison against the baseline. */
function finish(report: SlimReport, { baseline }: Batch): SlimReport {
  return baseline ? { ...report, baseline: compareWithBaseline(baseline.report, report, baseline.name) } : report;
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

/** Publishes the model (or, when a gate failed, the best model under another name), writes reports, prints. */
async function deliver(
  job: Job,
  { outcome, report, passed }: { outcome: SlimOutcome; report: SlimReport; passed: boolean },
  { flags, terminal }: Batch,
): Promise<void> {
  const written: string[] = [];
  if (!flags.dryRun && job.output === STDIO) {
    if (passed) await terminal.write(await readFile(outcome.path));
  } else if (!flags.dryRun) {
    await outcome.publish(passed ? job.output : `${job.output}.best.onnx`);
  }
  if (!flags.dryRun && !flags.noReport) {
    for (const file of flags.report ?? defaultReports(job)) {
      await replaceFile(file, renderReportFile(report, file) ?? '');
      written.push(file);
    }
  }
  if (flags.json) await terminal.write(writeReport(report));
  else if (job.output !== STDIO || flags.dryRun)
    terminal.print(slimLines(report, { width: terminal.width, verbosity: flags.verbose ? 1 : 0, reports: written }));
  if (!passed)
    terminal.warn(
      flags.dryRun || job.output === STDIO
        ? 'a gate was not met'
        : `a gate was not met: ${job.output} was left alone, the result is ${job.output}.best.onnx`,
    );
}

/** `net.slim.onnx` → `net.slim.report.{html,md,json}` beside it; none for standard output. */
function defaultReports({ output }: Job): string[] {
  if (output === STDIO) return [];
  const base = output.replace(/\.onnx$/i, '');
  return ['html', 'md', 'json'].map((ending) => `${base}.report.${ending}`);
}
