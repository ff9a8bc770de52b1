// How far the outputs of a candidate are from those of a reference.
import { DTYPES, isFloat } from '../tensor/dtype.js';
import { sameTensor, type Tensor } from '../tensor/tensor.js';
import type { TensorMap } from './wire-tensor.js';

/**
 * `bits`: every byte equal (one NaN is as good as another). `scale`: error at most `limit` times the output's scale; other
 * types than floats are exact.
 */
export type Tolerance = { readonly mode: 'bits' } | { readonly mode: 'scale'; readonly limit: number };

export type Disagreement = 'missing' | 'unexpected' | 'dtype' | 'shape' | 'special-values' | 'values';

export interface OutputAgreement {
  readonly name: string;
  readonly agrees: boolean;
  /** What is wrong, when something is. */
  readonly reason?: Disagreement;
  /** Largest |candidate - reference| over the elements that are finite in both; infinite when nothing can be compared. */
  readonly maxError: number;
  /** Largest finite |reference|, or a hundredth of the scale over all samples where that is more. */
  readonly scale: number;
  /** `maxError / scale`; 0 where both are 0. */
  readonly relativeError: number;
  /** 10 log10(sum of reference^2 / sum of error^2), dB; infinite when equal. Floats only. */
  readonly snr?: number;
  /** 20 log10((max - min of reference) / root mean square error), dB; infinite when equal. Floats only. */
  readonly psnr?: number;
  /** Elements that differ, for types that must be equal. */
  readonly differing?: number;
}

export interface Agreement {
  readonly agrees: boolean;
  readonly outputs: readonly OutputAgreement[];
  /** The output that disagrees, or else has the largest relative error; undefined when there are no outputs. */
  readonly worst: OutputAgreement | undefined;
}

export interface CompareOptions {
  readonly tolerance: Tolerance;
  /** Scale per output, where it is known from more than this one sample (`outputScales`). */
  readonly scales?: ReadonlyMap<string, number>;
}

/** Compares `candidate` with `reference`, output by output, by name. */
export function compareOutputs(reference: TensorMap, candidate: TensorMap, options: CompareOptions): Agreement {
  const outputs: OutputAgreement[] = [];
  for (const [name, expected] of reference) {
    const actual = candidate.get(name);
    outputs.push(actual ? compareTensors(name, expected, actual, options) : incomparable(name, 'missing'));
  }
  for (const name of candidate.keys()) {
    if (!reference.has(name)) outputs.push(incomparable(name, 'unexpected'));
  }
  return { agrees: outputs.every((output) => output.agrees), outputs, worst: worstOf(outputs) };
}

/** The worst of several agreements, as `compareOutputs` would choose it. */
export function worstOf(outputs: Iterable<OutputAgreement>): OutputAgreement | undefined {
  let worst: OutputAgreement | undefined;
  for (const output of outputs) {
    if (
      !worst ||
      (worst.agrees && !output.agrees) ||
      (worst.agrees === output.agrees && output.relativeError > worst.relativeError)
    )
      worst = output;
  }
  return worst;
}

/**
 * An output that is nearly zero on one sample is not held to a scale of rounding noise, nor is one that is ordinary there
 * held to the scale of extreme feeds: this share of the scale over all samples is the least.
 */
const LEAST_SCALE = 0.01;

/** Largest finite magnitude of each floating-point output over several samples. */
export function outputScales(samples: Iterable<TensorMap>): Map<string, number> {
  const scales = new Map<string, number>();
  for (const sample of samples) {
    for (const [name, tensor] of sample) {
      if (isFloat(tensor.dtype)) scales.set(name, Math.max(scales.get(name) ?? 0, largestFinite(tensor.toFloat64())));
    }
  }
  return scales;
}

function largestFinite(numbers: Float64Array): number {
  let largest = 0;
  for (const value of numbers) {
    const magnitude = Math.abs(value);
    if (magnitude > largest && magnitude < Infinity) largest = magnitude;
  }
  return largest;
}

function incomparable(name: string, reason: Disagreement): OutputAgreement {
  return { name, agrees: false, reason, maxError: Infinity, scale: 0, relativeError: Infinity };
}

function compareTensors(
  name: string,
  reference: Tensor,
  candidate: Tensor,
  { tolerance, scales }: CompareOptions,
): OutputAgreement {
  if (reference.dtype !== candidate.dtype) return incomparable(name, 'dtype');
  const sameShape =
    reference.dims.length === candidate.dims.length && reference.dims.every((dim, i) => dim === candidate.dims[i]);
  if (!sameShape) return incomparable(name, 'shape');
  if (!isFloat(reference.dtype)) return compareExact(name, reference, candidate);
  const [expected, actual] = [reference.toFloat64(), candidate.toFloat64()];
  const { specialsDiffer, ...figures } = floatFigures(expected, actual, scales?.get(name));
  const agrees =
    tolerance.mode === 'bits'
      ? expected.every((value, i) => Object.is(value, actual[i]))
      : !specialsDiffer && figures.relativeError <= tolerance.limit;
  if (agrees) return { name, agrees, ...figures };
  return { name, agrees, reason: specialsDiffer ? 'special-values' : 'values', ...figures };
}

/** One pass over both; elements that are NaN or infinite must be the same in both. */
function floatFigures(reference: Float64Array, candidate: Float64Array, knownScale: number | undefined) {
  let [maxError, scale, energy, errorEnergy] = [0, 0, 0, 0];
  let [low, high, finite] = [Infinity, -Infinity, 0];
  let specialsDiffer = false;
  for (let i = 0; i < reference.length; i++) {
    const expected = reference[i] ?? 0;
    const actual = candidate[i] ?? 0;
    if (!Number.isFinite(expected) || !Number.isFinite(actual)) {
      specialsDiffer ||= !Object.is(expected, actual);
      continue;
    }
    finite++;
    const error = Math.abs(actual - expected);
    if (error > maxError) maxError = error;
    if (Math.abs(expected) > scale) scale = Math.abs(expected);
    if (expected < low) low = expected;
    if (expected > high) high = expected;
    energy += expected * expected;
    errorEnergy += error * error;
  }
  const held = Math.max(scale, LEAST_SCALE * (knownScale ?? 0));
  return {
    specialsDiffer,
    maxError,
    scale: held,
    relativeError: maxError === 0 ? 0 : maxError / held,
    snr: errorEnergy === 0 ? Infinity : 10 * Math.log10(energy / errorEnergy),
    psnr: errorEnergy === 0 ? Infinity : 20 * Math.log10((high - low) / Math.sqrt(errorEnergy / finite)),
  };
}

function compareExact(name: string, reference: Tensor, candidate: Tensor): OutputAgreement {
  if (sameTensor(reference, candidate))
    return { name, agrees: true, maxError: 0, scale: 0, relativeError: 0, differing: 0 };
  const differing = countDiffering(reference, candidate);
  if (reference.dtype === 'string' || DTYPES[reference.dtype].kind === 'complex')
    return { ...incomparable(name, 'values'), differing };
  const { maxError, scale, relativeError } = floatFigures(reference.toFloat64(), candidate.toFloat64(), undefined);
  return { name, agrees: false, reason: 'values', maxError, scale, relativeError, differing };
}

function countDiffering(reference: Tensor, candidate: Tensor): number {
  const [a, b] =
    reference.dtype === 'string'
      ? ([reference.strings().map(hex), candidate.strings().map(hex)] as const)
      : ([elements(reference), elements(candidate)] as const);
  return a.filter((element, i) => element !== b[i]).length;
}

/** Elements as comparable texts, exact for every width. */
function elements(tensor: Tensor): string[] {
  const { bits } = DTYPES[tensor.dtype];
  if (bits < 8) return tensor.toNumbers().map(String);
  const bytes = tensor.bytes();
  return Array.from({ length: tensor.size }, (_, i) => hex(bytes.subarray((i * bits) / 8, ((i + 1) * bits) / 8)));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
