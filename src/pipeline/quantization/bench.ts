// What the steps of quantization share: the model, ONNX Runtime, the calibration samples, and how values inside the model
// are looked at.
import { createFacts, type ModelFacts } from '../../analysis/inference.js';
import type { AccumulatorSpec } from '../../fit/accumulator.js';
import {
  channelStatistics,
  type ChannelStatistics,
  type ChannelStatisticsSpec,
  type ChannelSums,
} from '../../fit/channel-statistics.js';
import type { Value } from '../../ir/value.js';
import type { DecodedModel } from '../../onnx/decode.js';
import type { RuntimeHost } from '../../runtime/host.js';
import { observe } from '../../runtime/observe.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { inGroups } from '../calibration/observe-ranges.js';
import { instrument } from '../instrument.js';
import { assumedSizes } from '../model-facts.js';
import type { Workspace } from '../workspace.js';

export interface QuantizationBench {
  readonly decoded: DecodedModel;
  readonly host: RuntimeHost;
  readonly workspace: Workspace;
  /** The calibration samples, from the first. */
  readonly feeds: () => AsyncIterable<TensorMap>;
  /** How many there are. */
  readonly samples: number;
  /** Shapes of the inputs of one sample. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly signal: AbortSignal;
  readonly onStage?: ((text: string) => void) | undefined;
}

/** Facts of the model as it stands, at the sizes of the samples. */
export function benchFacts({ decoded, shapes }: QuantizationBench): ModelFacts {
  return createFacts(decoded.model, { assumedSizes: assumedSizes(decoded.model, shapes, undefined) });
}

/** `count` of `feeds`, behind the first `skipped`. */
export async function* firstFeeds(
  feeds: AsyncIterable<TensorMap>,
  count: number,
  skipped = 0,
): AsyncGenerator<TensorMap> {
  let seen = 0;
  if (count <= 0) return;
  for await (const feed of feeds) {
    if (seen++ < skipped) continue;
    yield feed;
    if (seen >= skipped + count) return;
  }
}

/** Runs the model as it stands over the samples and reduces `values` of it by `specs`, which name them. */
export async function observeValues(
  bench: QuantizationBench,
  values: readonly Value[],
  specs: readonly AccumulatorSpec[],
  samples: number = bench.samples,
): Promise<readonly unknown[]> {
  const { decoded, host, workspace, feeds, signal } = bench;
  const { path } = await instrument(decoded, values, workspace, { rest: 'drop' });
  const states = await observe(host, { teacher: path }, specs, firstFeeds(feeds(), samples), { signal });
  await workspace.remove(path);
  return states;
}

/** Mean, variance and range per channel (axis 1, or the last of a matrix of rows) of each value. */
export async function observeChannels(
  bench: QuantizationBench,
  values: readonly Value[],
  samples: number = bench.samples,
): Promise<ReadonlyMap<Value, ChannelStatistics>> {
  const statistics = new Map<Value, ChannelStatistics>();
  const facts = benchFacts(bench);
  for (const group of inGroups([...new Set(values)], facts)) {
    const specs = group.map((value): ChannelStatisticsSpec => ({
      kind: 'channel-statistics',
      values: [value.name],
      axis: channelAxis(value),
    }));
    const states = await observeValues(bench, group, specs, samples);
    for (const [at, value] of group.entries()) statistics.set(value, channelStatistics(states[at] as ChannelSums));
  }
  return statistics;
}

/** Products of matrices of more than two axes have their channels last; all else has them at axis 1. */
function channelAxis({ producer }: Value): number {
  return producer?.opType === 'MatMul' ? -1 : 1;
}
