// Scales and zero points: q = clip(round(x / scale) + zero point). Activations are quantized over a range that includes 0,
// so that 0 (padding, Relu) is exact; weights symmetrically per output channel. Source: ONNX QuantizeLinear; Jacob et al.
// 2018, sec. 2.1.
import type { Interval } from '../value-range.js';

/** How a value is quantized. `scale` is a float32 number. */
export interface ActivationParameters {
  readonly dtype: 'uint8' | 'int8';
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Levels of 8 bits, less one. */
const STEPS = 255;
/** Largest float32: where an element is infinite. */
const LARGEST = 3.4028234663852886e38;
/** Smallest normal float32: a smaller scale loses digits. */
const SMALLEST_SCALE = 2 ** -126;

/**
 * The parameters of a value that lies in `range`. `bounds`: what a Clip or Relu in front of the QuantizeLinear lets through;
 * the largest representable number stays within, since the runtime drops the Clip only then.
 */
export function activationParameters(
  range: Interval,
  dtype: 'uint8' | 'int8',
  bounds: Interval = { low: -Infinity, high: Infinity },
): ActivationParameters {
  const low = Math.min(0, Math.max(range.low, bounds.low, -LARGEST));
  const high = Math.max(0, Math.min(range.high, bounds.high, LARGEST));
  const lowest = dtype === 'uint8' ? 0 : -128;
  const width = high - low;
  if (!(width / STEPS >= SMALLEST_SCALE)) return { dtype, scale: 1, zeroPoint: lowest };
  let scale = Math.fround(width / STEPS);
  const steps = Math.min(STEPS, Math.max(0, Math.round(-low / scale)));
  // The zero point is rounded, so that one end may pass its bound by half a step; rounding to float32 by some units more.
  if (exceeds(scale * (STEPS - steps), bounds.high)) scale = Math.fround(bounds.high / (STEPS - steps));
  if (exceeds(scale * steps, -bounds.low)) scale = Math.fround(-bounds.low / steps);
  while (exceeds(scale * (STEPS - steps), bounds.high) || exceeds(scale * steps, -bounds.low)) scale = below(scale);
  return { dtype, scale, zeroPoint: lowest + steps };
}

const exceeds = (reach: number, bound: number): boolean => bound > 0 && Math.fround(reach) > bound;

/** The float32 number before a positive one. */
function below(x: number): number {
  const bits = new Uint32Array(new Float32Array([x]).buffer);
  bits[0] = (bits[0] ?? 0) - 1;
  return new Float32Array(bits.buffer)[0] ?? x;
}

/** The numbers that quantized values of these parameters stand for. */
export function representable({ dtype, scale, zeroPoint }: ActivationParameters): Interval {
  const lowest = dtype === 'uint8' ? 0 : -128;
  return { low: (lowest - zeroPoint) * scale, high: (lowest + STEPS - zeroPoint) * scale };
}

/** Rows of W, one per output channel, as integers times a scale per row. */
export interface QuantizedWeights {
  /** Row-major, `scales.length` rows. */
  readonly integers: Int8Array;
  /** float32 numbers. */
  readonly scales: Float32Array;
}

/** max|w| / limit per row; 1 for a row of zeros. */
export function weightScales(weights: Float64Array, rows: number, limit: number): Float32Array {
  const width = weights.length / rows;
  return Float32Array.from({ length: rows }, (_, row) => {
    let largest = 0;
    for (let i = row * width; i < (row + 1) * width; i++) largest = Math.max(largest, Math.abs(weights[i] ?? 0));
    const scale = Math.fround(largest / limit);
    return scale >= SMALLEST_SCALE ? scale : 1;
  });
}

/** Nearest integers, half to even as the runtime rounds. */
export function roundWeights(weights: Float64Array, scales: Float32Array, limit: number): Int8Array {
  const width = weights.length / scales.length;
  return Int8Array.from(weights, (w, i) => {
    const q = roundHalfEven(w / (scales[Math.floor(i / width)] ?? 1));
    return Math.max(-limit, Math.min(limit, q));
  });
}

/** To the nearest integer, ties to the even one. */
export function roundHalfEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Largest int32, with room for the correction of biases afterwards. */
const BIAS_LIMIT = 2 ** 31 - 2 ** 24;

/**
 * Row scales raised where the bias would not fit into int32 at scale `inputScale * scales[row]`: tiny rows with a large
 * bias. What such a row computes is next to nothing beside its bias. Source: the same rule in ONNX Runtime's quantizer.
 */
export function scalesForBias(scales: Float32Array, bias: Float64Array, inputScale: number): Float32Array {
  return scales.map((scale, row) => {
    const needed = Math.abs(bias[row] ?? 0) / (BIAS_LIMIT * inputScale);
    return scale >= needed ? scale : Math.fround(needed * 1.0001);
  });
}

/** The bias as int32 at scale `inputScale * scales[row]`, and these scales in float32, as the runtime checks them. */
export function quantizeBias(
  bias: Float64Array,
  scales: Float32Array,
  inputScale: number,
): { readonly integers: Int32Array; readonly scales: Float32Array } {
  const biasScales = scales.map((scale) => Math.fround(scale * Math.fround(inputScale)));
  const integers = Int32Array.from(bias, (b, row) => roundHalfEven(b / (biasScales[row] ?? 1)));
  return { integers, scales: biasScales };
}
