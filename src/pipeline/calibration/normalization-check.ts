// Whether samples are what a model was trained on, told by its BatchNormalization nodes: they hold mean and variance of
// their inputs over the training data. Per channel, the shift of the mean in training deviations and the ratio of the
// deviations are compared; the median over the channels is that of the node, the median over the nodes that of the model.
// Other samples of the same kind move both by little; other preprocessing moves them by much, the first nodes most.
import { channelStatistics, type ChannelStatisticsSpec, type ChannelSums } from '../../fit/channel-statistics.js';
import type { Model } from '../../ir/model.js';
import type { Node } from '../../ir/node.js';
import type { Value } from '../../ir/value.js';
import type { CallOptions, RuntimeHost } from '../../runtime/host.js';
import { observe } from '../../runtime/observe.js';
import type { TensorMap } from '../../runtime/wire-tensor.js';
import { instrument, type InstrumentedModel } from '../instrument.js';
import type { Workspace } from '../workspace.js';

/** What the samples give at one node, beside what the node expects. */
export interface NormalizationShift {
  /** Name of the node, or of its output where it has none. */
  readonly node: string;
  /** Median over the channels of |mean - running mean| / running deviation. */
  readonly shift: number;
  /** Median over the channels of deviation / running deviation. */
  readonly spread: number;
}

export interface NormalizationCheck {
  /** In the order of the graph. */
  readonly nodes: readonly NormalizationShift[];
  /** Medians over the nodes. */
  readonly shift: number;
  readonly spread: number;
  /** Undefined where the samples are what the model expects. */
  readonly warning: string | undefined;
}

/** Beyond these, preprocessing is likely wrong. */
const MOST_SHIFT = 0.5;
const MOST_SPREAD = 1.5;
/** Nodes looked at: the first ones tell most. */
const MOST_NODES = 16;
/** Channels whose variance is next to nothing in training say nothing. */
const TINY = 1e-12;

/**
 * Compares the inputs of the first BatchNormalization nodes over `feeds` with what the nodes expect; some 32 samples are
 * enough. Undefined where the model has none (folded already) or there is no sample.
 * @throws what `observe` throws
 */
export async function checkNormalization(
  host: RuntimeHost,
  workspace: Workspace,
  observed: InstrumentedModel,
  { feeds, signal, threads = 1 }: CallOptions & { readonly feeds: AsyncIterable<TensorMap>; readonly threads?: number },
): Promise<NormalizationCheck | undefined> {
  const sites = normalizationSites(observed.model).slice(0, MOST_NODES);
  if (sites.length === 0) return undefined;
  const { path, names } = await instrument(
    observed,
    sites.map(({ input }) => input),
    workspace,
  );
  const specs = sites.map(({ input }): ChannelStatisticsSpec => ({
    kind: 'channel-statistics',
    values: [names.get(input) ?? input.name],
    axis: 1,
  }));
  const states = await observe(host, { teacher: path }, specs, feeds, {
    session: { threads },
    ...(signal ? { signal } : {}),
  });
  const nodes = sites.flatMap((site, at) => shiftOf(site, states[at] as ChannelSums) ?? []);
  if (nodes.length === 0) return undefined;
  const shift = median(nodes.map((node) => node.shift));
  const spread = median(nodes.map((node) => node.spread));
  const first = nodes[0];
  const fits = [first, { shift, spread }].every((found) => found === undefined || isNear(found));
  return { nodes, shift, spread, warning: fits || !first ? undefined : warningOf(first, { shift, spread }) };
}

const isNear = ({ shift, spread }: Pick<NormalizationShift, 'shift' | 'spread'>): boolean =>
  shift <= MOST_SHIFT && spread <= MOST_SPREAD && spread >= 1 / MOST_SPREAD;

function warningOf(first: NormalizationShift, all: Pick<NormalizationShift, 'shift' | 'spread'>): string {
  const figures = ({ shift, spread }: Pick<NormalizationShift, 'shift' | 'spread'>): string =>
    `means ${shift.toFixed(1)} deviations off, deviations ${spread.toFixed(2)} times`;
  const where = `at "${first.node}", its first BatchNormalization, ${figures(first)} what it expects`;
  const overall = `(over all of them: ${figures(all)})`;
  return `the samples are not what the model was trained on: ${where} ${overall}; check --preprocess`;
}

interface Site {
  readonly node: Node;
  readonly input: Value;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

function normalizationSites(model: Model): Site[] {
  return model.graph.nodes().flatMap((node) => {
    const [input, , , mean, variance] = node.inputs;
    if (node.opType !== 'BatchNormalization' || node.domain !== '') return [];
    if (!input?.producer && !input?.isInput) return [];
    if (!mean?.constant || !variance?.constant) return [];
    return [{ node, input, mean: mean.constant.toFloat64(), variance: variance.constant.toFloat64() }];
  });
}

function shiftOf({ node, mean, variance }: Site, sums: ChannelSums): NormalizationShift | undefined {
  if (sums.count === 0) return undefined;
  const seen = channelStatistics(sums);
  const channels = [...variance.keys()].filter((channel) => (variance[channel] ?? 0) > TINY);
  const deviation = (of: Float64Array, channel: number): number => Math.sqrt(of[channel] ?? 0);
  const shifts = channels.map(
    (channel) => Math.abs((seen.mean[channel] ?? 0) - (mean[channel] ?? 0)) / deviation(variance, channel),
  );
  const spreads = channels.map((channel) => deviation(seen.variance, channel) / deviation(variance, channel));
  if (channels.length === 0) return undefined;
  return { node: node.name || (node.output?.name ?? ''), shift: median(shifts), spread: median(spreads) };
}

/** Of at least one number. */
function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
