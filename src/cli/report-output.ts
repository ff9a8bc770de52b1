// Where the reports of inspect, profile and compare go: files of `--report`, JSON on stdout, or lines for a person.
import { UsageError } from '../base/errors.js';
import type { Document } from '../report/document.js';
import { documentLines } from '../report/document-lines.js';
import { writeReport } from '../report/json.js';
import { renderReportFile, REPORT_ENDINGS } from '../report/render.js';
import type { Report } from '../report/schema.js';
import type { FlagValues } from './parsed-flags.js';
import { replaceFile } from './replace-file.js';
import type { Terminal } from './terminal.js';

/** Refuses names whose ending is no form of a report, before any work is done. @throws UsageError bad-value */
export function checkReportFiles(files: readonly string[] | undefined): void {
  for (const file of files ?? []) {
    if (REPORT_ENDINGS.some((ending) => file.toLowerCase().endsWith(`.${ending}`))) continue;
    throw new UsageError('bad-value', `--report cannot be ${JSON.stringify(file)}`, {
      fix: `end it with ${REPORT_ENDINGS.map((ending) => `.${ending}`).join(', ')}`,
    });
  }
}

/** Writes the report files, then prints: with `-v` the tables too that a page would fold. @throws InputError not-writable */
export async function deliverReport(
  report: Report,
  document: Document,
  { flags, terminal }: { readonly flags: FlagValues; readonly terminal: Terminal },
): Promise<void> {
  await writeReportFiles(report, flags.report);
  if (flags.json) await terminal.write(writeReport(report));
  else {
    const folded = terminal.detail > 0 ? 'show' : 'hide';
    terminal.print(documentLines(document, { width: terminal.width, folded }));
  }
}

/** Writes the report files only. @throws InputError not-writable */
export async function writeReportFiles(report: Report, files: readonly string[] | undefined): Promise<void> {
  for (const file of files ?? []) await replaceFile(file, renderReportFile(report, file) ?? '');
}
