// `mcompress inspect MODEL`: what is in a model, without running it. Loads neither passes nor ONNX Runtime.
import { basename } from 'node:path';
import { buildInspectReport } from '../../report/build-inspect-report.js';
import { TOP_LAYERS } from '../../report/document.js';
import { inspectDocument } from '../../report/inspect-document.js';
import { readModel } from '../model-input.js';
import { wholeNumber } from '../parsed-flags.js';
import type { CommandRun } from '../program.js';
import { checkReportFiles, deliverReport } from '../report-output.js';
import { shapeFlags } from '../shape-flags.js';

export const runInspect: CommandRun = async ({ args, flags, terminal }) => {
  const [path = '-'] = args;
  checkReportFiles(flags.report);
  const shapes = shapeFlags('input', flags.input);
  const top = wholeNumber('top', flags.top, TOP_LAYERS, 1);
  const decoded = await readModel(path, { keepOverridable: flags.keepOverridable === true });
  const report = buildInspectReport(decoded, {
    name: basename(path),
    shapes,
    groups: flags.groups === true ? 'list' : 'skip',
  });
  await deliverReport(report, inspectDocument(report, top), { flags, terminal });
  return 0;
};
