// What the steps of one pruning run share.
import type { Original } from '../original.js';
import type { QuantizationBench } from '../quantization/bench.js';
import type { Journal } from '../quantization/journal.js';
import type { Scorer } from '../quantization/score-candidate.js';
import type { TimedRun } from '../quantization/speed.js';
import type { SlimOutcome } from '../slim.js';
import type { DecodedModel } from '../../onnx/decode.js';
import { openModel } from '../../onnx/open.js';
import { separateConstants } from '../../passes/prune/separate-constants.js';
import type { ScoreName } from '../../passes/prune/scores/registry.js';
import type { RuntimeHost } from '../../runtime/host.js';
import type { Workspace } from '../workspace.js';
import type { PruneRequest } from './outcome.js';
import type { Subset } from './class-subset.js';
import type { PruneSamples } from './split-samples.js';
import type { Recovery } from './recovery.js';

export interface PruneRun {
  readonly request: PruneRequest;
  readonly host: RuntimeHost;
  readonly workspace: Workspace;
  readonly samples: PruneSamples;
  readonly original: Original;
  /** What losses are measured against: the original, restricted to the classes that stay. */
  readonly reference: Original;
  /** The classes that stay; undefined: all. */
  readonly subset: Subset | undefined;
  /** The reference, slimmed: what units leave from. */
  readonly slimmed: SlimOutcome;
  /** The slimmed model in the form that units leave from, and the groups whose channels are another basis of the stream there. */
  readonly start: { readonly path: string; readonly turned: readonly string[] };
  /** The model at the start, which stays as it is. */
  readonly teacher: DecodedModel;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly journal: Journal;
  readonly score: ScoreName;
  readonly recovery: Recovery;
  /** Of candidates on the way, and of what comes out. */
  readonly scorers: { readonly select: Scorer; readonly report: Scorer };
  readonly timed: boolean;
  readonly warnings: string[];
}

/**
 * The bench of a model file of the run. Layers get parameters per channel of their own, so that an exporter that stored equal
 * ones once does not tie channels; the exact passes at the end unite what is still equal.
 * @throws InputError as `openModel`
 */
export async function openBench(
  run: Pick<PruneRun, 'host' | 'workspace' | 'samples' | 'shapes'> & {
    readonly request: Pick<PruneRequest, 'keepOverridable' | 'signal' | 'onStage'>;
  },
  path: string,
): Promise<QuantizationBench> {
  const decoded = await openModel(path, { keepOverridable: run.request.keepOverridable });
  separateConstants(decoded.model);
  const { host, workspace, samples, shapes, request } = run;
  const { signal, onStage } = request;
  return {
    decoded,
    host,
    workspace,
    feeds: samples.feeds,
    samples: samples.samples,
    shapes,
    signal,
    ...(onStage ? { onStage } : {}),
  };
}

/** The run as timing sees it: against the original, and against the same model with all its channels. */
export function timedRun({
  host,
  original,
  slimmed,
  request,
  samples,
  journal,
}: Pick<PruneRun, 'host' | 'original' | 'slimmed' | 'samples' | 'journal'> & {
  readonly request: TimedRun['request'];
}): TimedRun {
  return {
    bench: { host },
    files: { original: original.path, slimmed: slimmed.path },
    request,
    split: { first: samples.first },
    journal,
  };
}
