// Reports as JSON text: keys in declared order, `version` and `kind` first; reading checks every field.
import { InputError, InternalError } from '../base/errors.js';
import { REPORT_VERSION } from './facts.js';
import { REPORT_SHAPES, type AnyReport, type ReportKind, type ReportKinds } from './schema.js';
import { describeValue } from './shape.js';

/**
 * The report as JSON text with a newline at its end.
 * @throws InternalError invariant when a field does not fit its declaration (a number that is not finite, say)
 */
export function writeReport(report: AnyReport): string {
  const fail = (message: string, path: string): never => {
    throw new InternalError('invariant', `the ${report.kind} report has a wrong field: ${path} ${message}`);
  };
  return `${JSON.stringify(REPORT_SHAPES[report.kind].read(report, { path: '', fail }), undefined, 2)}\n`;
}

/**
 * The report of kind `kind` in `text`; `file` names it in messages.
 * @throws InputError bad-report when it is no JSON, of another kind or version, or has a wrong field
 */
export function parseReport<K extends ReportKind>(text: string, kind: K, file: string): ReportKinds[K] {
  const rewrite = `write a fresh one: mcompress ${kind} MODEL --json > ${file}`;
  const bad = (message: string, fix = rewrite): InputError =>
    new InputError('bad-report', message, { at: { file }, fix });
  let data: unknown;
  try {
    data = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new InputError('bad-report', 'the report is not JSON', { at: { file }, fix: rewrite, cause });
  }
  if (typeof data !== 'object' || data === null || !('version' in data) || !('kind' in data)) {
    throw bad('the file is JSON, but no report of mcompress: it has no "version" and "kind"');
  }
  if (data.version !== REPORT_VERSION) {
    throw bad(`the report has version ${describeValue(data.version)}, this mcompress reads version ${REPORT_VERSION}`);
  }
  if (data.kind !== kind)
    throw bad(
      `this is a report of kind ${describeValue(data.kind)}, not "${kind}"`,
      `give a report of mcompress ${kind}`,
    );
  const fail = (message: string, path: string): never => {
    throw bad(`${path === '' ? 'the report' : path} ${message}`);
  };
  return REPORT_SHAPES[kind].read(data, { path: '', fail });
}
