// Estimates of the noise that rounding adds to the result of a layer, relative to the power of that result: activations
// rounded to steps of D add D^2 / 12 per number they enter, weights rounded to steps of d add d^2 / 12 times the power of
// the number they meet. (Uniform rounding noise, independent of the signal: Widrow 1956.)
import type { Value } from '../../ir/value.js';
import { forEachFilter, type TensorLayer } from '../tensor-layer.js';
import type { ChannelClasses } from './channel-classes.js';
import type { ChannelSizes } from './equalize-activations.js';

/** A layer that reads a quantized value, with what of its weights the estimate needs. */
export interface LayerReader {
  readonly value: Value;
  /** Sum of squares of the weights that channel c meets. */
  readonly columnPower: Float64Array;
  /** Largest |w| of row o in column c, row-major; undefined for a depthwise layer, whose rows hold one column. */
  readonly largest: Float64Array | undefined;
  readonly kernel: number;
}

/** The layers that read `value` (through nothing else). */
export function readersOf(classes: ChannelClasses, value: Value): LayerReader[] {
  return classes.layers.filter(({ data }) => data === value).map(readerOf);
}

function readerOf({ data, layout, weights }: TensorLayer): LayerReader {
  const numbers = weights.toFloat64();
  const columnPower = new Float64Array(layout.inputs);
  const isDense = layout.groups === 1;
  const largest = isDense ? new Float64Array(layout.outputs * layout.inputs) : undefined;
  forEachFilter(layout, (o, i, offset) => {
    for (let k = offset; k < offset + layout.kernel; k++) {
      const w = Math.abs(numbers[k] ?? 0);
      columnPower[i] = (columnPower[i] ?? 0) + w * w;
      const at = o * layout.inputs + i;
      if (largest && w > (largest[at] ?? 0)) largest[at] = w;
    }
  });
  return { value: data, columnPower, largest, kernel: layout.kernel };
}

const LEVELS = 255;
const WEIGHT_LEVELS = 127;

/** Noise over signal of `reader` once channel c of its value is multiplied by `factorOf(value, c)` and column c divided by it. */
export function readerNoise(
  reader: LayerReader,
  sizes: ReadonlyMap<Value, ChannelSizes>,
  factorOf: (value: Value, channel: number) => number,
): number {
  const { value, columnPower, largest, kernel } = reader;
  const size = sizes.get(value);
  if (!size) return 0;
  const channels = columnPower.length;
  const factors = Float64Array.from({ length: channels }, (_, c) => factorOf(value, c));
  let low = 0;
  let high = 0;
  let signal = 0;
  let columns = 0;
  let power = 0;
  for (let c = 0; c < channels; c++) {
    const s = factors[c] ?? 1;
    low = Math.min(low, (size.min[c] ?? 0) * s);
    high = Math.max(high, (size.max[c] ?? 0) * s);
    signal += (columnPower[c] ?? 0) * (size.power[c] ?? 0);
    columns += (columnPower[c] ?? 0) / (s * s);
    power += (size.power[c] ?? 0) * s * s;
  }
  if (!(signal > 0)) return 0;
  const activations = ((high - low) / LEVELS) ** 2 * columns;
  let weights = 0;
  for (let row = 0; row < (largest?.length ?? 0); row += channels) {
    let reach = 0;
    for (let c = 0; c < channels; c++) reach = Math.max(reach, (largest?.[row + c] ?? 0) / (factors[c] ?? 1));
    weights += (reach / WEIGHT_LEVELS) ** 2 * power * kernel;
  }
  return (activations + weights) / (12 * signal);
}
