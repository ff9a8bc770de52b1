// `mcompress calibrate MODEL --data PATH`: the ranges of a model's values, for quantization; `--merge` joins shards.
import { basename } from 'node:path';
import { UsageError } from '../../base/errors.js';
import { readCacheFile, writeCacheFile } from '../../pipeline/calibration/cache-file.js';
import { mergeCalibrations, writeCalibration, type CalibrationCache } from '../../pipeline/calibration/cache.js';
import { calibrateModel } from '../../pipeline/calibration/calibrate-model.js';
import { namedShapes } from '../../pipeline/freeze.js';
import { sizedInputs } from '../../pipeline/model-facts.js';
import { buildCalibrateReport, buildMergeReport } from '../../report/build-calibrate-report.js';
import { calibrateDocument } from '../../report/calibrate-document.js';
import type { CalibrateReport } from '../../report/calibrate-report.js';
import { preparationText } from '../../report/sample-options.js';
import { dataRequest, openRequested, type DataRequest } from '../data-flags.js';
import { STDIO } from '../input-files.js';
import { withModelFile, type ModelFile } from '../model-input.js';
import { wholeNumber, type FlagValues } from '../parsed-flags.js';
import type { CommandInput, CommandRun } from '../program.js';
import { checkReportFiles, deliverReport, writeReportFiles } from '../report-output.js';
import { shapeFlags } from '../shape-flags.js';

export const runCalibrate: CommandRun = async (input) => {
  const { args, flags } = input;
  checkReportFiles(flags.report);
  if (flags.json && flags.calibration === STDIO)
    throw new UsageError('conflict', '--json and -o - both want standard output', { fix: 'name a file with -o' });
  if (flags.merge) return merge(input);
  const [path = STDIO, ...more] = args;
  if (more.length > 0)
    throw new UsageError('conflict', 'one model at a time can be calibrated', { fix: 'to join caches: --merge' });
  const asked = dataRequest(flags);
  checkSource(flags, asked);
  const output = flags.calibration ?? defaultOutput(path);
  const keepOverridable = flags.keepOverridable === true;
  return withModelFile(path, { keepOverridable }, (model) => calibrate(input, { model, asked, output, path }));
};

interface Calibrating {
  readonly model: ModelFile;
  readonly asked: DataRequest | undefined;
  readonly output: string;
  /** As given. */
  readonly path: string;
}

async function calibrate(input: CommandInput, { model, asked, output, path }: Calibrating): Promise<number> {
  const { flags, terminal, signal } = input;
  const shapes = namedShapes(model.decoded.model, shapeFlags('input', flags.input));
  const data = asked && (await openRequested(asked, sizedInputs(model.decoded.model, shapes), signal));
  const threads = wholeNumber('runThreads', flags.runThreads, 1, 1);
  const outcome = await calibrateModel({
    ...model,
    data,
    limit: asked?.limit,
    shard: shardFlag(flags.shard),
    seed: wholeNumber('seed', flags.seed, 0),
    threads,
    shapes,
    signal,
    onStage: (text, progress) => void terminal.progress(`${basename(path)}: ${text}`, progress),
  });
  const report = buildCalibrateReport(outcome, basename(path), {
    output: basename(output),
    dataName: data && basename(data.path),
    preparation: data ? preparationText(data) : [],
    threads,
  });
  return deliver(input, { cache: outcome.cache, report, output });
}

/** @throws UsageError no-input; InputError as `readCacheFile` and `mergeCalibrations` */
async function merge(input: CommandInput): Promise<number> {
  const { args, flags } = input;
  const stray = (['data', 'dataFree', 'shard'] as const).find((key) => flags[key] !== undefined);
  if (stray !== undefined)
    throw new UsageError(
      'conflict',
      `--merge joins caches, and takes no --${stray === 'dataFree' ? 'data-free' : stray}`,
    );
  if (flags.calibration === undefined)
    throw new UsageError('no-input', 'there is no name for the merged cache', { fix: 'give one with -o' });
  if (args.length < 2 || args.includes(STDIO))
    throw new UsageError('no-input', 'there is nothing to merge', { fix: 'name two caches or more' });
  const caches = await Promise.all(
    args.map(async (file) => ({ file: basename(file), cache: await readCacheFile(file) })),
  );
  const cache = mergeCalibrations(caches);
  const output = flags.calibration;
  return deliver(input, { cache, report: buildMergeReport(cache, basename(output), args.length), output });
}

interface Delivery {
  readonly cache: CalibrationCache;
  readonly report: CalibrateReport;
  readonly output: string;
}

async function deliver({ flags, terminal }: CommandInput, { cache, report, output }: Delivery): Promise<number> {
  if (output === STDIO) await terminal.write(writeCalibration(cache));
  else await writeCacheFile(output, cache);
  const isShown = output !== STDIO && !flags.json && !flags.quiet;
  // Ranges that were guessed must not pass unnoticed.
  if (report.data.kind === 'none' && !isShown) for (const text of report.warnings) terminal.warn(text);
  if (output !== STDIO) await deliverReport(report, calibrateDocument(report), { flags, terminal });
  else await writeReportFiles(report, flags.report);
  return 0;
}

/** @throws UsageError no-input, conflict */
function checkSource(flags: FlagValues, asked: DataRequest | undefined): void {
  if (asked && flags.dataFree)
    throw new UsageError('conflict', '--data-free means: without --data', { fix: 'leave one of them out' });
  if (!asked && !flags.dataFree)
    throw new UsageError('no-input', 'there is nothing to calibrate with', {
      fix: 'say where the samples are: --data PATH; or guess without any: --data-free',
    });
  if (!asked && flags.shard !== undefined)
    throw new UsageError('conflict', '--shard is a part of samples, and there are none', { fix: 'give --data PATH' });
}

/** `2/5`. @throws UsageError bad-value */
function shardFlag(text: string | undefined): { readonly index: number; readonly count: number } | undefined {
  if (text === undefined) return undefined;
  const [, index = 0, count = 0] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number);
  if (index < 1 || index > count)
    throw new UsageError('bad-value', `--shard cannot be ${JSON.stringify(text)}`, {
      fix: 'write I/N: the I-th of N parts, such as 1/4',
    });
  return { index, count };
}

/** @throws UsageError no-input for a model from standard input */
function defaultOutput(path: string): string {
  if (path === STDIO) throw new UsageError('no-input', 'there is no name for the cache', { fix: 'give one with -o' });
  return `${path.replace(/\.onnx$/i, '')}.calibration.json`;
}
