// Where the result of `slim`, `quantize` and `prune` goes: the model under its name, or beside it when a gate was not met; its reports; stdout.
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { InputError } from '../base/errors.js';
import { writeReport } from '../report/json.js';
import { renderReportFile } from '../report/render.js';
import type { SlimReport } from '../report/report.js';
import type { CombineReport } from '../report/combine-report.js';
import type { DeepenReport } from '../report/deepen-report.js';
import type { FactorizeReport } from '../report/factorize-report.js';
import type { PruneReport } from '../report/prune-report.js';
import type { QuantizeReport } from '../report/quantize-report.js';
import type { Line } from '../report/span.js';
import type { TerminalOptions } from '../report/terminal.js';
import { bestPath } from '../pipeline/best-path.js';
import { isSpecial, STDIO, type Job } from './input-files.js';
import type { FlagValues } from './parsed-flags.js';
import { replaceFiles } from './replace-file.js';
import type { Terminal } from './terminal.js';

/** What becomes of the model: nothing (dry run), bytes into stdout or a device, or a file that appears whole. */
export type Destination = 'nowhere' | 'stdout' | 'special' | 'file';

/** Where the model of this job goes. */
export function destinationOf({ output }: Job, flags: FlagValues): Destination {
  if (flags.dryRun) return 'nowhere';
  if (output === STDIO) return 'stdout';
  return isSpecial(output) ? 'special' : 'file';
}

/** Report files of a run that writes to `model`: `net.slim.onnx` → `net.slim.report.{html,md,json}`; those of `--report` before. */
export function reportPaths(model: string, destination: Destination, flags: FlagValues): readonly string[] {
  if (flags.dryRun || flags.noReport) return [];
  if (flags.report !== undefined) return flags.report;
  if (destination !== 'file') return [];
  const base = model.replace(/\.onnx$/i, '');
  return ['html', 'md', 'json'].map((ending) => `${base}.report.${ending}`);
}

/** A report that names the model that was written. */
type ModelReport = SlimReport | QuantizeReport | PruneReport | FactorizeReport | DeepenReport | CombineReport;

export interface Result<R extends ModelReport> {
  /** The model in a private folder. */
  readonly outcome: { readonly path: string; publish(path: string): Promise<void> };
  readonly report: R;
  readonly gate: 'met' | 'missed';
}

export interface Delivered<R> {
  /** With the name of the file that was written. */
  readonly report: R;
  /** The model file; undefined when none was written. */
  readonly path: string | undefined;
}

/** What a kind of report is for a person. */
export interface View<R> {
  lines(report: R, options: TerminalOptions): Line[];
  /** Which gate was missed, and by what. */
  missed(report: R): string;
}

/**
 * Writes the reports, then the model; a report always speaks of the model beside it. Nothing but files: see `show`.
 * @throws InputError not-writable, with nothing changed
 */
export async function deliver<R extends ModelReport>(
  job: Job,
  { outcome, report, gate }: Result<R>,
  flags: FlagValues,
): Promise<Delivered<R>> {
  const destination = destinationOf(job, flags);
  const path = destination !== 'file' ? undefined : gate === 'met' ? job.output : bestPath(job.output);
  const name = path === undefined ? (destination === 'nowhere' ? undefined : basename(job.output)) : basename(path);
  const { output } = report;
  const named: R = { ...report, output: output && name !== undefined ? { ...output, name } : undefined };
  const reports = reportPaths(path ?? job.output, destination, flags);
  await replaceFiles(reports.map((file) => ({ path: file, text: renderReportFile(named, file) ?? '' })));
  if (path !== undefined) await outcome.publish(path);
  if (destination === 'special' && gate === 'met') await writeInto(job.output, await readFile(outcome.path));
  return { report: named, path };
}

/** What a person or a program is shown of one model. With several models the caller prints the JSON of all. */
export async function show<R extends ModelReport>(
  job: Job,
  { outcome, gate }: Result<R>,
  { report, path }: Delivered<R>,
  { flags, terminal, view }: { readonly flags: FlagValues; readonly terminal: Terminal; readonly view: View<R> },
): Promise<void> {
  const destination = destinationOf(job, flags);
  if (flags.json) await terminal.write(writeReport(report));
  else if (destination === 'stdout') {
    if (gate === 'met') await terminal.write(await readFile(outcome.path));
  } else {
    const reports = reportPaths(path ?? job.output, destination, flags);
    terminal.print(view.lines(report, { width: terminal.width, verbosity: terminal.detail, reports }));
  }
  if (gate === 'met') return;
  const where = path === undefined ? 'no model was written' : `${job.output} was left alone, the result is ${path}`;
  terminal.warn(`${view.missed(report)}; ${where}`);
}

async function writeInto(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (cause) {
    throw new InputError('not-writable', 'the output cannot be written', { at: { file: path }, cause });
  }
}
