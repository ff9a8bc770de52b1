// Makes the channels of quantized values alike in size. One scale serves all channels of a value, so a channel whose
// numbers are a tenth of the largest has a tenth of the levels. Every channel class is multiplied by a factor that its
// layers take into their weights: rows W[o] s_o, b_o s_o, columns W[:, i] / s_i. Weights have a scale per row, so rows
// cost nothing; columns of dense layers become unlike each other, which costs digits of the weights. How far to go is
// chosen for each set of values tied together, by the noise that both roundings add to the results of their readers.
// Cross-layer equalization (Nagel et al. 2019, sec. 4.1) balances the weights of two layers; here ranges are those of
// data, and sums and joins of branches are followed.
//
// A Clip(0, h) stays as it is: a factor may raise a channel only as far as its largest number stays below h by some margin, and
// a channel that comes near h keeps factor 1. The result equals the model on all data whose channels stay in their ranges;
// beyond, a raised channel saturates, as its quantized form would.
import type { Facts } from '../../analysis/facts.js';
import type { Model } from '../../ir/model.js';
import type { Value } from '../../ir/value.js';
import { isRefusal } from '../plan.js';
import { scaledInputs, scaledOutputs, setLayerWeights, tensorLayerOf, type TensorLayer } from '../tensor-layer.js';
import { findChannelClasses, type ChannelClasses } from './channel-classes.js';
import { readerNoise, readersOf, type LayerReader } from './rounding-noise.js';

/** What data says of the channels of a value. */
export interface ChannelSizes {
  readonly min: Float64Array;
  readonly max: Float64Array;
  /** Mean of x^2. */
  readonly power: Float64Array;
}

/** Factors beyond this say that a channel is next to dead. */
const LARGEST_FACTOR = 2 ** 10;
/**
 * A channel is raised to this share of the range at most. Samples that were not seen reach further than those that were: where
 * every channel fills the range, they are clipped in every channel (0.7 dB of ResNet-20, calibrated on 100 images).
 */
const HEADROOM = 0.7;
/** Shares of the way to equal channels that are tried. */
const STRENGTHS: readonly number[] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/**
 * Scales the layers of the main graph so that channels of the quantized values `sizes` have ranges alike. Returns how
 * many layers changed.
 */
export function equalizeActivations(model: Model, facts: Facts, sizes: ReadonlyMap<Value, ChannelSizes>): number {
  const classes = findChannelClasses(model, facts);
  const factors = chooseFactors(classes, sizes);
  let changed = 0;
  for (const { node } of classes.layers) {
    // Asked anew: scaling columns replaced its weights.
    const columns = scaleLayer(tensorLayerOf(node, facts), classes, factors, 'columns');
    const rows = scaleLayer(tensorLayerOf(node, facts), classes, factors, 'rows');
    if (columns || rows) changed++;
  }
  return changed;
}

/** Classes that share a value, so that a factor of one changes the scale of the others. */
interface Component {
  readonly values: Value[];
  readonly ids: Set<number>;
  readonly readers: LayerReader[];
}

function chooseFactors(classes: ChannelClasses, sizes: ReadonlyMap<Value, ChannelSizes>): Map<number, number> {
  const wanted = wantedFactors(classes, sizes);
  const ceilings = ceilingsOf(classes, sizes);
  const factors = new Map<number, number>();
  for (const component of componentsOf(classes, sizes)) {
    let best = { noise: Infinity, factors: new Map<number, number>() };
    for (const strength of STRENGTHS) {
      const tried = new Map<number, number>();
      for (const id of component.ids) {
        const ceiling = ceilings.get(id) ?? LARGEST_FACTOR;
        const factor = Math.min((wanted.get(id) ?? 1) ** strength, ceiling, LARGEST_FACTOR);
        tried.set(id, ceiling <= 1 ? 1 : Math.fround(factor));
      }
      const factorOf = (value: Value, channel: number): number => tried.get(classes.classOf(value, channel) ?? -1) ?? 1;
      let noise = 0;
      for (const reader of component.readers) noise += readerNoise(reader, sizes, factorOf);
      if (noise < best.noise) best = { noise, factors: tried };
    }
    for (const [id, factor] of best.factors) factors.set(id, factor);
  }
  return factors;
}

/** The factor that brings the channels of a class near the size of the largest channel of their values (geometric mean). */
function wantedFactors(classes: ChannelClasses, sizes: ReadonlyMap<Value, ChannelSizes>): Map<number, number> {
  const logs = new Map<number, { sum: number; count: number }>();
  for (const [value, { min, max }] of sizes) {
    const reach = max.map((high, c) => Math.max(high, -(min[c] ?? 0)));
    const largest = reach.reduce((a, b) => Math.max(a, b), 0);
    for (const [c, size] of reach.entries()) {
      const id = classes.classOf(value, c);
      if (id === undefined || !(size > 0)) continue;
      const { sum, count } = logs.get(id) ?? { sum: 0, count: 0 };
      logs.set(id, { sum: sum + Math.max(0, Math.log((largest * HEADROOM) / size)), count: count + 1 });
    }
  }
  return new Map([...logs].map(([id, { sum, count }]) => [id, Math.exp(sum / count)]));
}

/** How far each class may be raised below the Clips that it passes. */
function ceilingsOf(classes: ChannelClasses, sizes: ReadonlyMap<Value, ChannelSizes>): Map<number, number> {
  const ceilings = new Map<number, number>();
  for (const { value, high } of classes.clipped) {
    const channels = classes.channels.get(value) ?? 0;
    const max = sizes.get(value)?.max;
    for (let c = 0; c < channels; c++) {
      const id = classes.classOf(value, c);
      const size = max?.[c] ?? high;
      if (id === undefined) continue;
      const ceiling = size >= high * HEADROOM ? 1 : size > 0 ? (high * HEADROOM) / size : LARGEST_FACTOR;
      ceilings.set(id, Math.min(ceilings.get(id) ?? Infinity, ceiling));
    }
  }
  return ceilings;
}

function componentsOf(classes: ChannelClasses, sizes: ReadonlyMap<Value, ChannelSizes>): Component[] {
  const byId = new Map<number, Component>();
  for (const [value, { max }] of sizes) {
    const ids = new Set(Array.from(max, (_, c) => classes.classOf(value, c)).filter((id) => id !== undefined));
    if (ids.size === 0) continue;
    const merged: Component = { values: [value], ids, readers: readersOf(classes, value) };
    for (const known of new Set([...ids].flatMap((id) => byId.get(id) ?? []))) {
      merged.values.push(...known.values);
      merged.readers.push(...known.readers);
      for (const id of known.ids) ids.add(id);
    }
    for (const id of ids) byId.set(id, merged);
  }
  return [...new Set(byId.values())];
}

function scaleLayer(
  layer: ReturnType<typeof tensorLayerOf>,
  classes: ChannelClasses,
  factors: ReadonlyMap<number, number>,
  side: 'rows' | 'columns',
): boolean {
  if (!layer || isRefusal(layer)) return false;
  const factorOf = (value: Value, c: number): number => factors.get(classes.classOf(value, c) ?? -1) ?? 1;
  const { layout, output, data } = layer;
  const scale =
    side === 'rows'
      ? Float64Array.from({ length: layout.outputs }, (_, c) => factorOf(output, c))
      : Float64Array.from({ length: layout.inputs }, (_, c) => 1 / factorOf(data, c));
  if (scale.every((s) => s === 1)) return false;
  const affine = { scale, shift: new Float64Array(scale.length) };
  const weights = side === 'rows' ? scaledOutputs(layer, affine) : scaledInputs(layer, affine);
  if (!weights) return false;
  setLayerWeights(layer as TensorLayer, weights);
  return true;
}
