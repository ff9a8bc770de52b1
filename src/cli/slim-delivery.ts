// Where the result of `slim` goes: the model under its name, or beside it when a gate was not met; its reports; stdout.
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { InputError } from '../base/errors.js';
import type { SlimOutcome } from '../pipeline/slim.js';
import { writeReport } from '../report/json.js';
import { renderReportFile } from '../report/render.js';
import type { SlimReport } from '../report/report.js';
import { slimLines } from '../report/terminal.js';
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

/** The best model of a run whose gate was not met: OUT itself is not touched, so that make does not take it for done. */
export const bestPath = (output: string): string => `${output}.best.onnx`;

/** Report files of a run that writes to `model`: `net.slim.onnx` → `net.slim.report.{html,md,json}`; those of `--report` before. */
export function reportPaths(model: string, destination: Destination, flags: FlagValues): readonly string[] {
  if (flags.dryRun || flags.noReport) return [];
  if (flags.report !== undefined) return flags.report;
  if (destination !== 'file') return [];
  const base = model.replace(/\.onnx$/i, '');
  return ['html', 'md', 'json'].map((ending) => `${base}.report.${ending}`);
}

export interface Result {
  readonly outcome: SlimOutcome;
  readonly report: SlimReport;
  readonly gate: 'met' | 'missed';
}

export interface Delivered {
  /** With the name of the file that was written. */
  readonly report: SlimReport;
  /** The model file; undefined when none was written. */
  readonly path: string | undefined;
}

/**
 * Writes the reports, then the model; a report always speaks of the model beside it. Nothing but files: see `show`.
 * @throws InputError not-writable, with nothing changed
 */
export async function deliver(job: Job, { outcome, report, gate }: Result, flags: FlagValues): Promise<Delivered> {
  const destination = destinationOf(job, flags);
  const path = destination !== 'file' ? undefined : gate === 'met' ? job.output : bestPath(job.output);
  const name = path === undefined ? (destination === 'nowhere' ? undefined : basename(job.output)) : basename(path);
  const { output, ...rest } = report;
  const named: SlimReport = output && name !== undefined ? { ...rest, output: { ...output, name } } : rest;
  const reports = reportPaths(path ?? job.output, destination, flags);
  await replaceFiles(reports.map((file) => ({ path: file, text: renderReportFile(named, file) ?? '' })));
  if (path !== undefined) await outcome.publish(path);
  if (destination === 'special' && gate === 'met') await writeInto(job.output, await readFile(outcome.path));
  return { report: named, path };
}

/** What a person or a program is shown of one model. With several models the caller prints the JSON of all. */
export async function show(
  job: Job,
  { outcome, gate }: Result,
  { report, path }: Delivered,
  { flags, terminal }: { readonly flags: FlagValues; readonly terminal: Terminal },
): Promise<void> {
  const destination = destinationOf(job, flags);
  if (flags.json) await terminal.write(writeReport(report));
  else if (destination === 'stdout') {
    if (gate === 'met') await terminal.write(await readFile(outcome.path));
  } else {
    const reports = reportPaths(path ?? job.output, destination, flags);
    terminal.print(slimLines(report, { width: terminal.width, verbosity: terminal.detail, reports }));
  }
  if (gate === 'missed') terminal.warn(missedText(job, report, path));
}

/** Says which gate, and where the model is. */
function missedText({ output }: Job, { baseline }: SlimReport, path: string | undefined): string {
  const gate =
    baseline?.verdict === 'regressed'
      ? `worse than ${baseline.name}`
      : '--strict: the result could not be checked, or a rewrite had to be undone';
  return path === undefined
    ? `${gate}; no model was written`
    : `${gate}; ${output} was left alone, the result is ${path}`;
}

async function writeInto(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (cause) {
    throw new InputError('not-writable', 'the output cannot be written', { at: { file: path }, cause });
  }
}
