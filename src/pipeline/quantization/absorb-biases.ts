// High-bias absorption on data: what every element of a channel has at least goes into the bias of the next layer, and the
// range to be quantized shrinks by it (src/passes/bias-absorption.ts). The minima are those of the samples, so this changes
// the model where an input goes below them; half of what was seen is left as a margin.
import type { ChannelStatistics } from '../../fit/channel-statistics.js';
import type { Value } from '../../ir/value.js';
import { absorbHighBias } from '../../passes/bias-absorption.js';
import { channelLinks } from '../../passes/channel-links.js';
import { isRefusal } from '../../passes/plan.js';
import { benchFacts, type QuantizationBench } from './bench.js';

/** Share of a minimum that is absorbed. */
const SHARE = 0.5;
/** Less than this share of the range of its value is not worth a change. */
const LEAST_SHARE = 0.02;

/** Returns the number of channels; `statistics` of values of the model as it stands, which do not hold afterwards. */
export function absorbBiases(
  bench: QuantizationBench,
  statistics: ReadonlyMap<Value, Pick<ChannelStatistics, 'min' | 'max'>>,
): number {
  const facts = benchFacts(bench);
  let absorbed = 0;
  for (const link of channelLinks(bench.decoded.model, facts, () => undefined)) {
    const seen = link.values.find((value) => statistics.has(value));
    const { min, max } = (seen && statistics.get(seen)) ?? {};
    if (!min || !max || min.length !== link.channels) continue;
    const range = max.reduce((a, b) => Math.max(a, b), 0) - min.reduce((a, b) => Math.min(a, b), 0);
    const minima = min.map((low) => (low > range * LEAST_SHARE ? low * SHARE : 0));
    const found = absorbHighBias(link, minima, facts);
    if (!isRefusal(found)) absorbed += found.absorbed;
  }
  return absorbed;
}
