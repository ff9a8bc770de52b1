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
  /** Values whose own rounding is in what the layer reads: `value`, and along a residual stream those added up before. */
  readonly sources: readonly Value[];
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
  return { value: data, sources: sourcesOf(data), columnPower, largest, kernel: layout.kernel };
}

/** Operators that hand the noise of what they read on, channel by channel, about as large as it was. */
const HANDS_ON: ReadonlySet<string> = new Set(['Add', 'Relu', 'Clip', 'LeakyRelu', 'MaxPool', 'Identity', 'Dropout']);

function sourcesOf(value: Value): Value[] {
  const sources = new Set<Value>();
  const pending = [value];
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (sources.has(next) || next.constant) continue;
    sources.add(next);
    const { producer } = next;
    if (producer && HANDS_ON.has(producer.opType))
      for (const input of producer.opType === 'Add' ? producer.inputs : producer.inputs.slice(0, 1))
        if (input) pending.push(input);
  }
  return [...sources];
}

const LEVELS = 255;
const WEIGHT_LEVELS = 127;

/** Noise over signal of `reader` once channel c of its value is multiplied by `factorOf(value, c)` and column c divided by it. */
export function readerNoise(
  reader: LayerReader,
  sizes: ReadonlyMap<Value, ChannelSizes>,
  factorOf: (value: Value, channel: number) => number,
): number {
  const { value, sources, columnPower, largest, kernel } = reader;
  const size = sizes.get(value);
  if (!size) return 0;
  const channels = columnPower.length;
  const factors = Float64Array.from({ length: channels }, (_, c) => factorOf(value, c));
  let signal = 0;
  let columns = 0;
  let power = 0;
  for (let c = 0; c < channels; c++) {
    const s = factors[c] ?? 1;
    signal += (columnPower[c] ?? 0) * (size.power[c] ?? 0);
    columns += (columnPower[c] ?? 0) / (s * s);
    power += (size.power[c] ?? 0) * s * s;
  }
  if (!(signal > 0)) return 0;
  const activations = sources.reduce((sum, source) => sum + stepOf(source, sizes, factorOf) ** 2, 0) * columns;
  let weights = 0;
  for (let row = 0; row < (largest?.length ?? 0); row += channels) {
    let reach = 0;
    for (let c = 0; c < channels; c++) reach = Math.max(reach, (largest?.[row + c] ?? 0) / (factors[c] ?? 1));
    weights += (reach / WEIGHT_LEVELS) ** 2 * power * kernel;
  }
  return (activations + weights) / (12 * signal);
}

/** The step of a value of 8 bits over the range of its channels; 0 for one that is not quantized. */
function stepOf(
  value: Value,
  sizes: ReadonlyMap<Value, ChannelSizes>,
  factorOf: (value: Value, channel: number) => number,
): number {
  const size = sizes.get(value);
  let low = 0;
  let high = 0;
  for (let c = 0; c < (size?.min.length ?? 0); c++) {
    const factor = factorOf(value, c);
    low = Math.min(low, (size?.min[c] ?? 0) * factor);
    high = Math.max(high, (size?.max[c] ?? 0) * factor);
  }
  return (high - low) / LEVELS;
}
