// `mcompress profile MODEL`: where the time goes on ONNX Runtime.
import { basename } from 'node:path';
import { profileOneModel, type ProfileRequest } from '../../pipeline/profile-model.js';
import { buildProfileReport } from '../../report/build-profile-report.js';
import { TOP_LAYERS } from '../../report/document.js';
import { profileDocument } from '../../report/profile-document.js';
import { FLAGS } from '../flags.js';
import { withModelFile } from '../model-input.js';
import { choiceOf, wholeNumber } from '../parsed-flags.js';
import type { CommandRun } from '../program.js';
import { checkReportFiles, deliverReport } from '../report-output.js';
import { shapeFlags } from '../shape-flags.js';

export const runProfile: CommandRun = async ({ args, flags, terminal, signal }) => {
  const [given = '-'] = args;
  checkReportFiles(flags.report);
  const top = wholeNumber('top', flags.top, TOP_LAYERS, 1);
  const options = {
    threads: wholeNumber('threads', flags.threads, 1, 1),
    seed: wholeNumber('seed', flags.seed, 0),
    optimization: choiceOf('optimization', FLAGS.optimization.choices, flags.optimization, 'all'),
    shapes: shapeFlags('input', flags.input),
    feeds: flags.feed ?? [],
    alone: flags.alone || flags.latencyTable !== undefined ? { file: flags.latencyTable } : undefined,
  };
  const keepOverridable = flags.keepOverridable === true;
  return withModelFile(given, { keepOverridable }, async ({ decoded, path }) => {
    const name = basename(given);
    const onStage = (text: string, progress?: string): void => void terminal.progress(`${name}: ${text}`, progress);
    const request: ProfileRequest = { ...options, decoded, path, signal, onStage };
    const report = buildProfileReport(request, await profileOneModel(request), name);
    await deliverReport(report, profileDocument(report, top), { flags, terminal });
    return 0;
  });
};
