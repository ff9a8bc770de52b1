// `mcompress compare A B`: whether two models compute the same, where they part, and what each needs.
import { basename } from 'node:path';
import { UsageError } from '../../base/errors.js';
import { compareModels, type CompareRequest } from '../../pipeline/compare-models.js';
import { buildCompareReport } from '../../report/build-compare-report.js';
import { compareDocument } from '../../report/compare-document.js';
import { STDIO } from '../input-files.js';
import { withModelFile } from '../model-input.js';
import { notNegative, wholeNumber } from '../parsed-flags.js';
import type { CommandRun } from '../program.js';
import { checkReportFiles, deliverReport } from '../report-output.js';
import { shapeFlags } from '../shape-flags.js';

const TOLERANCE = 1e-4;

export const runCompare: CommandRun = async ({ args, flags, terminal, signal }) => {
  const [first = STDIO, second = STDIO] = args;
  if (first === STDIO && second === STDIO)
    throw new UsageError('conflict', 'both models cannot come from stdin', { fix: 'name a file for one of them' });
  checkReportFiles(flags.report);
  const limit = notNegative('tolerance', flags.tolerance, TOLERANCE);
  const names = { a: basename(first), b: basename(second) };
  const options: Omit<CompareRequest, 'a' | 'b'> = {
    tolerance: limit === 0 ? { mode: 'bits' } : { mode: 'scale', limit },
    inside: terminal.detail > 0 ? 'always' : 'when-they-differ',
    measure: flags.noProfile ? 'off' : 'on',
    threads: wholeNumber('threads', flags.threads, 1, 1),
    seed: wholeNumber('seed', flags.seed, 0),
    shapes: shapeFlags('input', flags.input),
    feeds: flags.feed ?? [],
    signal,
    onStage: (text, progress) => void terminal.progress(`${names.a} and ${names.b}: ${text}`, progress),
  };
  const keepOverridable = flags.keepOverridable === true;
  return withModelFile(first, { keepOverridable }, (a) =>
    withModelFile(second, { keepOverridable }, async (b) => {
      const request = { ...options, a, b };
      const report = buildCompareReport(request, await compareModels(request), names);
      await deliverReport(report, compareDocument(report), { flags, terminal });
      return report.verdict === 'agree' ? 0 : 1;
    }),
  );
};
