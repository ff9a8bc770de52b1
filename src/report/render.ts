// One report value, every output form.
import { calibrateDocument } from './calibrate-document.js';
import { combineDocument } from './combine-document.js';
import { compareDocument } from './compare-document.js';
import type { Document } from './document.js';
import { renderHtml } from './html.js';
import { deepenDocument } from './deepen-document.js';
import { evalDocument } from './eval-document.js';
import { factorizeDocument } from './factorize-document.js';
import { inspectDocument } from './inspect-document.js';
import { writeReport } from './json.js';
import { renderMarkdown } from './markdown.js';
import { profileDocument } from './profile-document.js';
import { pruneDocument } from './prune-document.js';
import { quantizeDocument } from './quantize-document.js';
import type { Report } from './schema.js';
import { slimDocument } from './slim-document.js';

/** Forms of a report file, by the ending that names them. */
const FORMS: { readonly [ending: string]: (report: Report) => string } = {
  json: writeReport,
  md: (report) => renderMarkdown(reportDocument(report)),
  html: (report) => renderHtml(reportDocument(report)),
};
export const REPORT_ENDINGS: readonly string[] = Object.keys(FORMS);

/** The document of a report of any kind. */
export function reportDocument(report: Report): Document {
  switch (report.kind) {
    case 'slim':
      return slimDocument(report);
    case 'inspect':
      return inspectDocument(report);
    case 'profile':
      return profileDocument(report);
    case 'compare':
      return compareDocument(report);
    case 'eval':
      return evalDocument(report);
    case 'calibrate':
      return calibrateDocument(report);
    case 'quantize':
      return quantizeDocument(report);
    case 'prune':
      return pruneDocument(report);
    case 'deepen':
      return deepenDocument(report);
    case 'combine':
      return combineDocument(report);
    case 'factorize':
      return factorizeDocument(report);
    default:
      return report satisfies never;
  }
}

/** The text of a report file called `fileName`, by its ending (.json, .md, .html); nothing for another ending. */
export function renderReportFile(report: Report, fileName: string): string | undefined {
  const ending = fileName.slice(fileName.lastIndexOf('.') + 1).toLowerCase();
  return Object.hasOwn(FORMS, ending) ? FORMS[ending]?.(report) : undefined;
}
