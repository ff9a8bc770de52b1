// One model, changed on samples, for `quantize`, `prune`, `factorize` and `deepen`, and for `slim` where it does so: the run, gates, files.
import { rm } from 'node:fs/promises';
import { UsageError } from '../base/errors.js';
import type { SampledRunOutcome } from '../pipeline/run-outcome.js';
import type { SampledRunRequest } from '../pipeline/run-request.js';
import type { SampledSetting } from '../report/build-sampled-report.js';
import type { CombineReport } from '../report/combine-report.js';
import type { DeepenReport } from '../report/deepen-report.js';
import type { FactorizeReport } from '../report/factorize-report.js';
import type { PruneReport } from '../report/prune-report.js';
import type { QuantizeReport } from '../report/quantize-report.js';
import { sampleSource } from '../report/sample-options.js';
import { asDefect } from './crash-reproducer.js';
import { openRequested, type DataRequest } from './data-flags.js';
import { deliver, show, type Result, type View } from './delivery.js';
import { STDIO, type Job } from './input-files.js';
import { againstBaseline, planRun, runRequest, type Baseline } from './model-run.js';
import type { FlagValues } from './parsed-flags.js';
import type { CommandInput } from './program.js';

/** What flags say to every such run. */
export type SampledFlags = Omit<SampledRunRequest, 'recipe'>;

/** A run, before it is done. */
export interface SampledRun<Q extends SampledRunRequest, O extends SampledRunOutcome, R> {
  readonly job: Job;
  readonly asked: DataRequest | undefined;
  readonly baseline: Baseline<R> | undefined;
  /** A journal that the user named, which stays. */
  readonly journal: string | undefined;
  /** Whether one is kept beside the output unasked. It goes when all went well. */
  readonly isLong: boolean;
  request(flags: SampledFlags): Q;
  run(request: Q): Promise<O>;
  report(request: Q, outcome: O, setting: SampledSetting): R;
  /** The command that does the same again. */
  command(model: string): string;
  readonly lines: View<R>['lines'];
  missedText(report: R, mode: 'strict' | 'usual'): string | undefined;
  /** What is to be said where no data was used. */
  dataFreeText(report: R): string | undefined;
}

/** The model of a command line. @throws as `planRun`; UsageError conflict where there are more */
export async function planOne(
  args: readonly string[],
  flags: FlagValues,
  ending: string,
  done: 'deepened' | 'factorized' | 'pruned' | 'quantized' | 'slimmed on samples',
): Promise<Job> {
  const [job, ...more] = await planRun(args, flags, ending);
  if (!job || more.length > 0)
    throw new UsageError('conflict', `one model at a time can be ${done}`, { fix: 'run it once for each model' });
  return job;
}

/** Returns the exit status. */
export async function runOnSamples<
  Q extends SampledRunRequest,
  O extends SampledRunOutcome,
  R extends QuantizeReport | PruneReport | FactorizeReport | DeepenReport | CombineReport,
>(input: CommandInput, planned: SampledRun<Q, O, R>): Promise<number> {
  const { flags, terminal } = input;
  const { job, asked } = planned;
  const started = performance.now();
  const source = sampleSource(asked && ((inputs, stop) => openRequested(asked, inputs, stop)));
  const request = planned.request(await sampledFlags(input, planned, source.open));
  try {
    const outcome = await planned.run(request);
    try {
      const setting = { commandLine: planned.command(job.input), data: source.facts() };
      const built = planned.report(request, outcome, { ...setting, elapsedMs: performance.now() - started });
      const report = againstBaseline(built, planned.baseline);
      const missed = planned.missedText(report, flags.strict ? 'strict' : 'usual');
      const result: Result<R> = { outcome, report, gate: missed === undefined ? 'met' : 'missed' };
      const delivered = await deliver(job, result, flags);
      const view: View<R> = { lines: planned.lines, missed: () => missed ?? '' };
      await show(job, result, delivered, { flags, terminal, view });
      const dataFree = planned.dataFreeText(report);
      if (dataFree !== undefined && (flags.json || flags.quiet || job.output === STDIO)) terminal.warn(dataFree);
      if (missed === undefined && planned.journal === undefined && request.journal !== undefined)
        await rm(request.journal, { force: true });
      return missed === undefined ? 0 : 1;
    } finally {
      await outcome.dispose();
    }
  } catch (error) {
    const commandLine = (model: string): string => planned.command(model).replace(/^mcompress /, '');
    throw await asDefect(error, { ...request, commandLine });
  }
}

async function sampledFlags(
  input: CommandInput,
  { job, journal, isLong }: { readonly job: Job; readonly journal: string | undefined; readonly isLong: boolean },
  openData: SampledFlags['openData'],
): Promise<SampledFlags> {
  const { layerLatencies } = input.flags;
  const common = await runRequest(job, input);
  const own = isLong && common.output !== undefined ? `${common.output}.journal` : undefined;
  return {
    ...common,
    openData,
    journal: journal ?? own,
    ...(layerLatencies === undefined ? {} : { latencyTable: layerLatencies }),
  };
}
